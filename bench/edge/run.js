// What the embedded edge costs: CPU a request and requests a second, all features on, against the floor and two peers, in
// interleaved rounds of one run. `node bench/edge/run.js [--quick]`, after `npm run build`.
import { fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { call } from "../../dist/drivers/edges/embedded/control-client.js";
import { embeddedEdge } from "../../dist/drivers/edges/embedded/index.js";
import { controlSocket } from "../../dist/drivers/edges/embedded/launch.js";
import { freePort } from "../../dist/testing/ports.js";
import { floor, printFloors } from "../parts/figures.js";
import { treeCpuUs } from "./cpu.js";

const connections = 50;
/** The floors of the product: at most so much of the bare proxy's CPU a request, at least so much of its requests a second. */
const mostCpu = 1.3;
const leastRate = 0.8;

const here = (name) => fileURLToPath(new URL(name, import.meta.url));

/** Prints the table and returns `{ met, rows, floors }`. `quick` measures too shortly to be quoted. */
export async function edgeBench({ quick = false } = {}) {
  // Many short rounds: whatever else the machine does then falls on both sides of a ratio.
  const rounds = quick ? 8 : 25;
  const seconds = quick ? 0.6 : 1;
  const directory = await mkdtemp(join(tmpdir(), "edge-bench-"));
  const children = [];
  const child = (file, ...args) => {
    const started = fork(here(file), args.map(String), { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    children.push(started);
    return started;
  };
  const listening = async (file, ...args) => {
    const started = child(file, ...args);
    const { port } = await once(started);
    return { pid: started.pid, port };
  };
  const edges = [];
  try {
    const backend = await listening("backend.js");
    const load = child("load.js");
    const proxies = {
      "bare node:http + undici": await listening("parts/bare.js", backend.port),
      "our edge, 1 worker": await startEdge(join(directory, "one"), 1, backend.port, edges),
      "our edge, 2 workers": await startEdge(join(directory, "two"), 2, backend.port, edges),
      "http-proxy-3": await listening("parts/http-proxy-3.js", backend.port),
      "@fastify/http-proxy": await listening("parts/fastify-http-proxy.js", backend.port),
    };
    const results = Object.fromEntries(Object.keys(proxies).map((name) => [name, []]));
    for (const { port } of Object.values(proxies)) await measure(load, port, 0, quick ? 1 : 2);
    for (let round = 0; round < rounds; round += 1)
      for (const name of shuffled(Object.keys(proxies)))
        results[name].push(await measure(load, proxies[name].port, proxies[name].pid, seconds));
    return report(results);
  } finally {
    for (const edge of edges) await edge.stop(0);
    for (const one of children) one.disconnect();
    await rm(directory, { recursive: true, force: true });
  }
}

async function measure(load, port, pid, seconds) {
  const before = pid === 0 ? 0 : treeCpuUs(pid);
  load.send({ port, connections, seconds });
  const result = await once(load);
  const cpu = pid === 0 ? 0 : treeCpuUs(pid) - before;
  return { ...result, rate: result.answers / result.seconds, cpu: cpu / result.answers };
}

/** All features on: routes, weights, trace, headers, limits, counts, access log. */
async function startEdge(directory, workers, backendPort, edges) {
  const edge = embeddedEdge({ directory, workers });
  edges.push(edge);
  const port = await freePort();
  await edge.start({
    listeners: [{ name: "web", host: "127.0.0.1", port, tls: null }],
    trustedProxies: ["10.0.0.0/8"],
    limits: {
      headerBytes: 16_384,
      bodyBytes: 10_000_000,
      headersTimeoutMs: 10_000,
      requestTimeoutMs: 60_000,
      idleTimeoutMs: 60_000,
      upstreamTimeoutMs: 30_000,
      connectTimeoutMs: 2000,
      maxConnections: 10_000,
    },
    accessLog: { file: join(directory, "access.log"), maxBytes: 50_000_000, keep: 1 },
  });
  const policy = {
    redirectToHttps: false,
    redirectHosts: { "www.bench.example": "bench.example" },
    headers: {
      "Strict-Transport-Security": "max-age=31536000",
      "X-Content-Type-Options": "nosniff",
      "X-Frame-Options": "DENY",
      "Referrer-Policy": "no-referrer",
    },
    cors: null,
    allowLists: [{ prefix: "/admin", allow: ["10.0.0.0/8"] }],
    rateLimit: { requests: 100_000_000, perMs: 60_000 },
    bodyBytes: null,
  };
  const route = (pathPrefix, host) => ({ listener: "web", host, pathPrefix, strip: false, service: "web", policy });
  const target = (revision, weight) => ({
    revision,
    release: revision.replace("rev", "rel"),
    weight,
    fallback: weight === 0,
    instances: [{ id: `${revision}.0`, address: `127.0.0.1:${backendPort}` }],
  });
  await edge.apply({
    generation: 1,
    routes: [route("/", "bench.example"), route("/api", "bench.example"), route("/", null)],
    services: {
      web: { mode: "live", sticky: null, targets: [target("rev_candidate", 500), target("rev_stable", 9500)] },
    },
  });
  const { pid } = await call(controlSocket(directory), "GET", "/status");
  return { pid, port };
}

function report(results) {
  const rows = Object.entries(results).map(([name, all]) => ({
    name,
    cpu: median(all.map((one) => one.cpu)),
    rate: median(all.map((one) => one.rate)),
    p50: median(all.map((one) => one.p50)),
    p99: median(all.map((one) => one.p99)),
    failures: all.reduce((sum, one) => sum + one.failures, 0),
    // Per round, so that what else the machine does is in both sides of the ratio.
    cpuRatio: median(all.map((one, round) => one.cpu / results["bare node:http + undici"][round].cpu)),
    rateRatio: median(all.map((one, round) => one.rate / results["bare node:http + undici"][round].rate)),
  }));
  console.log(
    `\nEdge: ${connections} connections, 122-byte answers, medians of ${results["http-proxy-3"].length} rounds`,
  );
  console.log("                             CPU us/req   x bare      req/s   x bare   p50 ms   p99 ms   failed");
  for (const row of rows)
    console.log(
      `  ${row.name.padEnd(26)} ${row.cpu.toFixed(1).padStart(10)} ${row.cpuRatio.toFixed(2).padStart(8)} ${row.rate.toFixed(0).padStart(10)} ${row.rateRatio.toFixed(2).padStart(8)} ${row.p50.toFixed(2).padStart(8)} ${row.p99.toFixed(2).padStart(8)} ${String(row.failures).padStart(8)}`,
    );
  const of = (name) => rows.find((row) => row.name === name);
  const ours = of("our edge, 1 worker");
  const mine = rows.filter(({ name }) => name.startsWith("our edge"));
  const failed = mine.reduce((sum, row) => sum + row.failures, 0);
  const floors = [
    floor("edge: CPU a request", `<= ${mostCpu} x bare`, `${ours.cpuRatio.toFixed(2)} x`, ours.cpuRatio <= mostCpu),
    floor(
      "edge: requests a second",
      `>= ${leastRate} x bare`,
      `${ours.rateRatio.toFixed(2)} x`,
      ours.rateRatio >= leastRate,
    ),
    ...["http-proxy-3", "@fastify/http-proxy"].map((peer) =>
      floor("edge: CPU a request", `< ${peer}`, `${(ours.cpu / of(peer).cpu).toFixed(2)} x`, ours.cpu < of(peer).cpu),
    ),
    floor("edge: failed requests", "0", String(failed), failed === 0),
  ];
  return { met: floors.every(({ met }) => met), rows, floors };
}

/** The next message of a part of the bench; rejects when the part ends instead. */
function once(child) {
  return new Promise((resolve, reject) => {
    const ended = (code) => reject(new Error(`a part of the bench ended with ${code}`));
    child.once("exit", ended);
    child.once("message", (message) => {
      child.off("exit", ended);
      resolve(message);
    });
  });
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

function shuffled(names) {
  return names
    .map((name) => [Math.random(), name])
    .sort(([a], [b]) => a - b)
    .map(([, name]) => name);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  printFloors((await edgeBench({ quick: process.argv.includes("--quick") })).floors);
}
