/** How a release of the sample service behaves. */
export type Behaviour =
  | { readonly is: "healthy" }
  /** Listens, and says 503 for ever. */
  | { readonly is: "never-healthy" }
  /** Healthy, and answers three of ten requests with 500; from `afterMs` on. */
  | { readonly is: "errors"; readonly afterMs?: number }
  | { readonly is: "crash"; readonly afterMs: number }
  /** Does not even listen before. */
  | { readonly is: "slow-start"; readonly startMs: number }
  /** Takes memory without end, so that a limit or the kernel kills it; from `afterMs` on. */
  | { readonly is: "oom"; readonly afterMs: number }
  /** Ignores SIGTERM. */
  | { readonly is: "stubborn" };

/**
 * The sample service: version and behaviour come from its image. `/healthz` says whether it is healthy, `/env` what it was
 * given, `/slow?ms=…` answers late, everything else its version. On SIGTERM it answers what is in flight and ends.
 */
export const sampleAppSource = `"use strict";
const http = require("node:http");
const version = process.env.VERSION;
const behaviour = JSON.parse(process.env.BEHAVIOUR);
const startedAt = Date.now();
const age = () => Date.now() - startedAt;
const from = (afterMs, act) => setTimeout(act, Math.max(0, afterMs ?? 0));
let stopping = false;
let asked = 0;

const server = http.createServer((request, response) => {
  const url = new URL(request.url, "http://service");
  response.setHeader("x-version", version);
  response.setHeader("x-instance", process.env.HOSTNAME ?? "");
  if (stopping) response.setHeader("connection", "close");
  const answer = (status, text) => { response.writeHead(status, { "content-type": "text/plain" }); response.end(text + "\\n"); };
  if (url.pathname === "/healthz") {
    const healthy = behaviour.is !== "never-healthy" && !stopping;
    return answer(healthy ? 200 : 503, healthy ? "ok" : stopping ? "stopping" : "not ready");
  }
  if (url.pathname === "/env") return answer(200, JSON.stringify(process.env));
  if (url.pathname === "/slow") return setTimeout(answer, Number(url.searchParams.get("ms")), 200, version);
  if (behaviour.is === "never-healthy") return answer(503, "not ready");
  const failing = behaviour.is === "errors" && age() >= (behaviour.afterMs ?? 0) && asked++ % 10 < 3;
  answer(failing ? 500 : 200, failing ? "deliberate failure" : version);
});
server.keepAliveTimeout = 65_000;

const listen = () => server.listen(Number(process.env.PORT ?? 3000), "0.0.0.0", () => console.log("listening " + version));
if (behaviour.is === "slow-start") from(behaviour.startMs, listen);
else listen();
if (behaviour.is === "crash") from(behaviour.afterMs, () => { console.error("deliberate crash"); process.exit(1); });
if (behaviour.is === "oom") from(behaviour.afterMs, () => {
  const taken = [];
  const take = () => { taken.push(Buffer.alloc(8 * 1024 * 1024, 1)); setImmediate(take); };
  take();
});

process.on("SIGTERM", () => {
  if (behaviour.is === "stubborn") return console.log("ignoring SIGTERM");
  if (stopping) return;
  stopping = true;
  console.log("stopping " + version);
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
process.on("SIGINT", () => process.exit(130));
`;
