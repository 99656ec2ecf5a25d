// As much of Redis' protocol as counting needs, so that the image is small and the example has no dependency.
import { connect } from "node:net";

export function openRedis({ host, port }) {
  const waiting = [];
  let socket = null;
  const open = () => {
    socket = connect({ host, port }).setNoDelay(true).setEncoding("utf8");
    let rest = "";
    socket.on("data", (chunk) => {
      const lines = (rest + chunk).split("\r\n");
      rest = lines.pop();
      for (const line of lines) waiting.shift()?.resolve(Number(line.slice(1)));
    });
    socket.on("error", (error) => console.error(`redis: ${error.message}`));
    socket.on("close", () => {
      for (const each of waiting.splice(0)) each.reject(new Error("Redis is away"));
      setTimeout(open, 200);
    });
  };
  open();
  return {
    increment: (key) =>
      new Promise((resolve, reject) => {
        if (socket.readyState !== "open") return reject(new Error("Redis is away"));
        waiting.push({ resolve, reject });
        socket.write(`INCR ${key}\r\n`);
      }),
  };
}
