// The worker of the quickstart: takes a small job every half second until it is asked to stop.
let done = 0;

const timer = setInterval(() => {
  done += 1;
  if (done % 10 === 0) console.log(`${done} jobs done`);
}, 500);

console.log("worker takes jobs");

process.on("SIGTERM", () => {
  clearInterval(timer);
  console.log(`worker stops after ${done} jobs`);
});
