// Open-loop traffic: a request every 5 ms whether or not the ones before have been answered, as real users come.
// Runs as a process of its own, so that nothing the quickstart does can slow it down. Reports over IPC every 100 ms.
import { Agent, request } from "node:http";

const [, , origin, rateText] = process.argv;
const rate = Number(rateText ?? 200);
const timeoutMs = 10_000;
const paths = ["/", "/api/greeting?name=Ada", "/api/greeting?name=Grace"];
// What has been idle is let go of long before the edge does: on a machine that stands still at times both would act at once.
const agent = new Agent({ keepAlive: true, maxSockets: 128, timeout: 20_000 });

const total = { sent: 0, answered: 0, failed: 0, serviceErrors: {} };
let window = emptyWindow();
const failures = [];

function emptyWindow() {
  return { answered: 0, byVersion: {}, latencies: [] };
}

function send() {
  total.sent += 1;
  const started = performance.now();
  const path = paths[total.sent % paths.length];
  const asked = request(`${origin}${path}`, { agent, timeout: timeoutMs }, (response) => {
    response.resume();
    response.on("end", () => answered(response, path, performance.now() - started));
    response.on("error", (error) => failed(path, error.message));
  });
  asked.on("timeout", () => asked.destroy(new Error(`no answer within ${timeoutMs} ms`)));
  asked.on("error", (error) => failed(path, error.code ?? error.message));
  asked.end();
}

function answered(response, path, ms) {
  total.answered += 1;
  window.answered += 1;
  window.latencies.push(ms);
  const version = response.headers["x-app-version"];
  if (path.startsWith("/api") && version !== undefined)
    window.byVersion[version] = (window.byVersion[version] ?? 0) + 1;
  if (response.statusCode < 500) return;
  // An error that the service itself gave carries its version; one that the edge had to make does not.
  if (version === undefined) return failed(path, `HTTP ${response.statusCode} from the edge`);
  total.serviceErrors[version] = (total.serviceErrors[version] ?? 0) + 1;
}

function failed(path, why) {
  total.failed += 1;
  const at = ((performance.now() - begun) / 1000).toFixed(1);
  if (failures.length < 20) failures.push(`${path}: ${why}, ${at} s after the first request`);
}

function report() {
  const sorted = window.latencies.sort((a, b) => a - b);
  process.send?.({
    ...total,
    failures,
    window: {
      answered: window.answered,
      byVersion: window.byVersion,
      p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
    },
  });
  window = emptyWindow();
}

const begun = performance.now();
let due = 0;
const sending = setInterval(() => {
  // What a late timer missed is sent now: the rate holds on average, whatever the machine does.
  const wanted = Math.floor(((performance.now() - begun) / 1000) * rate);
  for (; due < wanted; due += 1) send();
}, 2);
const reporting = setInterval(report, 100);

process.on("message", (message) => {
  if (message !== "stop") return;
  clearInterval(sending);
  // Requests under way get their answer before the last report.
  const waiting = setInterval(() => {
    if (total.answered + total.failed < total.sent) return;
    clearInterval(waiting);
    clearInterval(reporting);
    report();
    agent.destroy();
    process.disconnect();
  }, 10);
});
process.on("disconnect", () => process.exit(0));
