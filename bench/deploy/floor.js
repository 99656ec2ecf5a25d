// What a deployment is held against: a script as one writes it in an afternoon. A proxy with a table in its memory; on
// command it starts the program of a directory, polls its health every 10 ms, swaps the table, and ends the old one.
import { spawn } from "node:child_process";
import { Agent, createServer, request } from "node:http";
import { freePort } from "../../dist/testing/ports.js";

const pollMs = 10;
const agent = new Agent({ keepAlive: true });
const table = { web: null };

const proxy = createServer((incoming, answer) => {
  if (table.web === null) return answer.writeHead(503).end();
  const { url, method, headers } = incoming;
  const passed = request({ host: "127.0.0.1", port: table.web.port, path: url, method, headers, agent }, (response) => {
    answer.writeHead(response.statusCode, response.headers);
    response.pipe(answer);
  });
  passed.on("error", () => answer.destroy());
  incoming.pipe(passed);
});

process.on("message", async ({ directory }) => {
  const old = table.web;
  table.web = await start(directory);
  process.send({ swapped: true });
  old?.child.kill("SIGTERM");
});
process.on("disconnect", () => {
  table.web?.child.kill("SIGKILL");
  process.exit(0);
});

async function start(directory) {
  const port = await freePort();
  const env = { PATH: process.env.PATH, PORT: String(port) };
  const child = spawn("node", ["server.js"], { cwd: directory, env, stdio: "ignore" });
  while (!(await isUp(port))) await new Promise((resolve) => setTimeout(resolve, pollMs));
  return { child, port };
}

function isUp(port) {
  return new Promise((resolve) => {
    const asked = request({ host: "127.0.0.1", port, path: "/up", agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    asked.on("error", () => resolve(false));
    asked.end();
  });
}

proxy.listen(0, "127.0.0.1", () => process.send({ port: proxy.address().port }));
