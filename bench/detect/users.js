// Users: requests that come when they are due, answered or not, over real sockets. A process of its own, which tells every
// answer: `users.js <port> <requests a second>`; the rate holds on average, whatever the machine does.
import { Agent, request } from "node:http";

const [, , port, rate] = process.argv;
const agent = new Agent({ keepAlive: true, maxSockets: 64 });
const tickMs = 5;
const tellMs = 50;
let told = [];

function send() {
  const settle = (answer) => told.push({ at: performance.now() - begun, ...answer });
  const asked = request({ host: "127.0.0.1", port: Number(port), path: "/", agent }, (response) => {
    response.resume();
    const { "x-app-version": version = null, "x-app-answer": number = null } = response.headers;
    response.on("end", () =>
      settle({ version, number: number === null ? null : Number(number), failed: response.statusCode >= 500 }),
    );
    response.on("error", () => settle({ version, number: null, failed: true }));
  });
  asked.on("error", () => settle({ version: null, number: null, failed: true }));
  asked.end();
}

const begun = performance.now();
let sent = 0;
setInterval(() => {
  const due = Math.floor(((performance.now() - begun) / 1000) * Number(rate));
  for (; sent < due; sent += 1) send();
}, tickMs);
setInterval(() => {
  if (told.length === 0) return;
  process.send(told);
  told = [];
}, tellMs);
process.on("disconnect", () => process.exit(0));
