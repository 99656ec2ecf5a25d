// Open-loop traffic: requests come when they are due, answered or not, as users come. Reads and writes, on connections that
// are kept and on new ones. What a POST sent must be what the service has read. A process of its own: `load.js <origin> <rate>`.
import { createHash, randomBytes } from "node:crypto";
import { Agent, request } from "node:http";

const [, , origin, rateText] = process.argv;
const rate = Number(rateText);
/** Long enough for a machine that is busy with other things: late is not failed, lost is. */
const timeoutMs = 30_000;
const tickMs = 2;
const kept = new Agent({ keepAlive: true, maxSockets: 64 });
const bodies = [200, 3_000, 20_000].map((bytes) => {
  const body = randomBytes(bytes);
  return { body, digest: createHash("sha256").update(body).digest("hex") };
});
/** Of every ten requests: seven on kept connections, three on new ones; four write. */
const mix = [
  { kind: "GET kept", method: "GET", path: "/", agent: kept },
  { kind: "POST kept", method: "POST", path: "/", agent: kept },
  { kind: "GET new", method: "GET", path: "/", agent: false },
  { kind: "GET kept", method: "GET", path: "/api/list", agent: kept },
  { kind: "POST new", method: "POST", path: "/api/orders", agent: false },
  { kind: "GET kept", method: "GET", path: "/", agent: kept },
  { kind: "POST kept", method: "POST", path: "/api/orders", agent: kept },
  { kind: "GET new", method: "GET", path: "/api/list", agent: false },
  { kind: "GET kept", method: "GET", path: "/api/list", agent: kept },
  { kind: "POST kept", method: "POST", path: "/", agent: kept },
];

let sent = 0;
let over = 0;
const failures = [];
const latencies = [];

function send() {
  const { kind, method, path, agent } = mix[sent % mix.length];
  const payload = method === "POST" ? bodies[sent % bodies.length] : null;
  sent += 1;
  const begun = performance.now();
  const at = Date.now();
  let settled = false;
  const settle = (why) => {
    if (settled) return;
    settled = true;
    over += 1;
    const ms = performance.now() - begun;
    latencies.push(ms);
    if (why !== null) failures.push({ at, ms: Math.round(ms), kind, path, why });
  };
  const asked = request(`${origin}${path}`, { method, agent, timeout: timeoutMs }, (response) => {
    let text = "";
    response.setEncoding("utf8");
    response.on("data", (part) => {
      text += part;
    });
    response.on("end", () => settle(faultOf(response, text, payload)));
    response.on("aborted", () => settle("the answer was cut"));
    response.on("error", (error) => settle(error.code ?? error.message));
  });
  asked.on("timeout", () => asked.destroy(new Error(`no answer within ${timeoutMs} ms`)));
  asked.on("error", (error) => {
    settle(`${error.code ?? error.message}${asked.reusedSocket ? " on a kept connection" : ""}`);
  });
  asked.end(payload?.body);
}

function faultOf(response, text, payload) {
  if (response.statusCode !== 200) return `HTTP ${response.statusCode}: ${text.slice(0, 200)}`;
  const { version, digest } = JSON.parse(text);
  if (version !== response.headers["x-app-version"]) return "the answer of one version with the headers of another";
  return payload !== null && digest !== payload.digest ? "the service has read something else than was sent" : null;
}

const begun = performance.now();
let due = 0;
const sending = setInterval(() => {
  // What a late timer has missed is sent now: the rate holds on average, whatever the machine does.
  const wanted = Math.floor(((performance.now() - begun) / 1000) * rate);
  for (; due < wanted; due += 1) send();
}, tickMs);

process.on("message", (message) => {
  if (message !== "stop") return;
  clearInterval(sending);
  const seconds = (performance.now() - begun) / 1000;
  // Requests under way get their answer, or run into their time limit, before the report.
  const waiting = setInterval(() => {
    if (over < sent) return;
    clearInterval(waiting);
    kept.destroy();
    const sorted = latencies.sort((a, b) => a - b);
    const at = (percent) => sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? 0;
    process.send({ sent, seconds, failures, p50: at(50), p99: at(99), max: at(100) }, () => process.disconnect());
  }, 20);
});
process.on("disconnect", () => process.exit(0));
