/**
 * The journal engine against its floor in the same run: a bare INSERT and commit through the same open store, and through the
 * driver without Kysely. Prints steps/s, tx/s, time of a step, and from opening to the first workflow done.
 * Run: npm run -s build && node bench/engine.js
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteStore } from "../dist/drivers/stores/sqlite/index.js";
import { sqliteEngine } from "../dist/engine/sqlite/engine.js";
import { wallClock } from "../dist/testing/engine/wall-clock.js";

const rounds = 7;
const steps = 300;
const directory = mkdtempSync(join(tmpdir(), "slipway-bench-"));

/** The whole way of a control plane that starts on an existing state: open, resume nothing, first workflow. */
async function firstWorkflowMs() {
  const begun = performance.now();
  const { store, engine } = await open();
  await engine.start("steps.v1", `first-${begun}`, { count: 1 });
  await engine.ended(`first-${begun}`);
  const took = performance.now() - begun;
  await engine.close();
  await store.close();
  return took;
}

async function open() {
  const store = await openSqliteStore({ directory, clock: wallClock });
  const engine = sqliteEngine({ store, clock: wallClock });
  engine.register("steps.v1", async (ctx, { count }) => {
    for (let at = 0; at < count; at++) await ctx.step("step", async () => at);
    return null;
  });
  engine.register("txs.v1", async (ctx, { count, round }) => {
    for (let at = 0; at < count; at++) await ctx.tx("tx", (trx) => insert(trx, `tx-${round}-${at}`));
    return null;
  });
  await engine.open();
  return { store, engine };
}

async function insert(db, digest) {
  await db.insertInto("artifact").values({ digest, bytes: 1, created_at: 1 }).execute();
  return null;
}

async function perSecond(count, work) {
  const begun = performance.now();
  await work();
  return count / ((performance.now() - begun) / 1000);
}

const median = (numbers) => percentile(numbers, 50);
function percentile(numbers, percent) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))];
}

try {
  const fresh = await firstWorkflowMs();
  const again = await firstWorkflowMs();
  const { store, engine } = await open();
  const floor = [];
  const stepRates = [];
  const txRates = [];
  const parallelRates = [];
  // Round by round, so that foreign load meets all of them alike.
  for (let round = 0; round < rounds; round++) {
    floor.push(
      await perSecond(steps, async () => {
        for (let at = 0; at < steps; at++) await insert(store.db, `floor-${round}-${at}`);
      }),
    );
    const run = async (kind, id, input) => {
      await engine.start(kind, id, input);
      await engine.ended(id);
    };
    stepRates.push(await perSecond(steps, () => run("steps.v1", `steps-${round}`, { count: steps })));
    txRates.push(await perSecond(steps, () => run("txs.v1", `txs-${round}`, { count: steps, round })));
    parallelRates.push(
      await perSecond(steps, () =>
        Promise.all(
          Array.from({ length: steps / 10 }, (_, at) => run("steps.v1", `parallel-${round}-${at}`, { count: 10 })),
        ),
      ),
    );
  }
  const times = [];
  let last = 0;
  await engine.close();
  const timed = sqliteEngine({ store, clock: wallClock });
  timed.register("timed.v1", async (ctx) => {
    for (let at = 0; at <= 1_000; at++) {
      await ctx.step("step", async () => null);
      const now = performance.now();
      if (at > 0) times.push(now - last);
      last = now;
    }
    return null;
  });
  await timed.open();
  await timed.start("timed.v1", "timed", null);
  await timed.ended("timed");
  await timed.close();
  await store.close();

  const ratio = (rates) => median(rates.map((rate, round) => rate / floor[round])).toFixed(2);
  const line = (name, rates) =>
    `${name.padEnd(40)} ${median(rates).toFixed(0).padStart(6)} /s   ${ratio(rates)} of the floor`;
  console.log(`engine on SQLite, Node ${process.versions.node}, synchronous=FULL, medians of ${rounds} rounds`);
  console.log(`${"floor: bare INSERT and commit".padEnd(40)} ${median(floor).toFixed(0).padStart(6)} /s   1.00`);
  console.log(line("steps, one workflow", stepRates));
  console.log(line("tx (write and journal), one workflow", txRates));
  console.log(line("steps, workflows of 10 steps at once", parallelRates));
  console.log(`a step: p50 ${median(times).toFixed(2)} ms, p99 ${percentile(times, 99).toFixed(2)} ms`);
  console.log(
    `from opening to the first workflow done: ${again.toFixed(0)} ms; with a new state ${fresh.toFixed(0)} ms`,
  );
} finally {
  rmSync(directory, { recursive: true, force: true });
}
