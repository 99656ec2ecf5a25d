// What 1,000 probes at 30 s cost the control plane: read, recorded at full rate, and their past written to a real store. The things
// that are probed live in another process, and answer at once, so that nothing but our own work is in the figure.
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { endpointProbe } from "../dist/drivers/probes/endpoint/index.js";
import { redisProbe } from "../dist/drivers/probes/redis/index.js";
import { tcpProbe } from "../dist/drivers/probes/tcp/index.js";
import { openSqliteStore } from "../dist/drivers/stores/sqlite/index.js";
import { samplesOf } from "../dist/engine/metrics/declared-source.js";
import { Metrics } from "../dist/engine/metrics/metrics.js";
import { flushMs, Past } from "../dist/engine/metrics/past.js";
import { Schedule } from "../dist/engine/metrics/schedule.js";
import { systemClock } from "../dist/lib/system-clock.js";
import { floor } from "./parts/figures.js";

const probes = 1_000;
const everyMs = 30_000;
const most = 0.05;

export async function probesBench({ quick }) {
  const directory = mkdtempSync(join(tmpdir(), "slipway-bench-probes-"));
  const probed = fork(fileURLToPath(new URL("probes/probed.js", import.meta.url)));
  const [ports] = await once(probed, "message");
  const store = await openSqliteStore({ directory });
  const metrics = new Metrics({ clock: systemClock });
  const past = new Past({ store, metrics, log: { info: () => {}, warn: () => {}, error: () => {} } });
  const seen = { readings: 0, failed: 0 };
  const tasks = Array.from({ length: probes }, (_, index) => taskOf(index, ports));
  const record = (key, reading) => {
    const spec = { name: key, service: null, everyMs, timeoutMs: 5_000 };
    metrics.record(samplesOf({ environment: "production", release: "rel_1", spec, kind: "probe" }, reading));
  };
  const schedule = new Schedule({
    clock: systemClock,
    random: Math.random,
    onReading: (key, reading) => {
      seen.readings += 1;
      if (reading.is === "pass") return record(key, reading);
      seen.failed += 1;
      seen.why ??= reading.saw;
      record(key, reading);
    },
  });
  schedule.open();
  schedule.set(tasks);
  const flushing = setInterval(() => void past.flush(), flushMs);
  try {
    // The first round makes everything: series, rows, compiled code.
    await systemClock.sleep(everyMs);
    const before = { ...seen, cpu: process.cpuUsage(), at: performance.now() };
    await systemClock.sleep(quick ? everyMs : 3 * everyMs);
    const { user, system } = process.cpuUsage(before.cpu);
    const share = (user + system) / 1000 / (performance.now() - before.at);
    const readings = seen.readings - before.readings;
    const each = (user + system) / readings;
    const rss = Math.round(process.memoryUsage().rss / 1e6);
    console.log(
      `  ${readings} readings, ${seen.failed} failed${seen.why === undefined ? "" : ` (${seen.why})`}, ${each.toFixed(0)} µs CPU each with all that comes after it, ${rss} MB`,
    );
    const met = share < most && seen.failed === 0;
    return [floor("1,000 probes at 30 s, CPU of one core", "under 5 %", `${(share * 100).toFixed(1)} %`, met)];
  } finally {
    clearInterval(flushing);
    await schedule.close();
    probed.kill();
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Half of them over HTTP, the rest TCP and Redis. */
function taskOf(index, { http, redis }) {
  const url = new URL(`http://127.0.0.1:${http}/up`);
  const asked = { url, method: "GET", headers: {}, status: null, body: { status: "healthy" }, withinMs: null };
  const gauge =
    index % 2 === 0
      ? endpointProbe(asked)
      : index % 4 === 1
        ? tcpProbe({ host: "127.0.0.1", port: http })
        : redisProbe({ url: new URL(`redis://127.0.0.1:${redis}`) });
  return { key: `probe-${index}`, everyMs, timeoutMs: 5_000, whenLost: "fail", gauge };
}
