/**
 * The program that the suite deploys: one file, told by its first argument what to be. It writes with synchronous calls only, so
 * that a test knows what is in its output when it ends.
 */
export const appSource = `
const http = require("node:http");
const fs = require("node:fs");
const { spawn } = require("node:child_process");
const [mode, ...args] = process.argv.slice(2);
const say = (text) => fs.writeSync(1, text + "\\n");
const serve = (answer) =>
  http.createServer((request, response) => answer(request, response))
    .listen(Number(process.env.PORT), process.env.HOST, () => say("listening on " + process.env.PORT));
const modes = {
  serve() {
    serve((request, response) => response.end(JSON.stringify({ pid: process.pid, env: process.env, args, cwd: process.cwd() })));
    process.on("SIGTERM", () => { say("asked to stop"); process.exit(0); });
  },
  stubborn() {
    process.on("SIGTERM", () => say("no"));
    serve((request, response) => response.end("still here"));
  },
  crash() { fs.writeSync(2, "it broke\\n"); process.exit(7); },
  forks() {
    // The child would stay behind when only its parent is stopped.
    const child = spawn(process.execPath, ["-e", "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)"], { stdio: "ignore" });
    say("child " + child.pid);
    serve((request, response) => response.end(JSON.stringify({ pid: process.pid, child: child.pid })));
  },
  print() { for (let i = 0; i < Number(args[0]); i++) say("line " + i); serve((request, response) => { say("asked"); response.end(); }); },
  job() { say("working"); process.exit(Number(args[0])); },
};
modes[mode]();
`;
