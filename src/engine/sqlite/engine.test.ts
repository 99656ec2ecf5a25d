import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openSqliteStore } from "../../drivers/stores/sqlite/index.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Engine } from "../../ports/engine.ts";
import type { Store } from "../../ports/store.ts";
import { ManualClock } from "../../testing/engine/manual-clock.ts";
import { fillDisk, smallDisk } from "../../testing/engine/small-disk.ts";
import { wallClock } from "../../testing/engine/wall-clock.ts";
import { sqliteEngine } from "./engine.ts";
import { forgetEnded } from "./retention.ts";
import type { EngineLog } from "./services.ts";

const hour = 3_600_000;
const begin = Date.parse("2026-11-21T10:30:00Z");

async function setUp(clock: Clock, directory?: string): Promise<{ store: Store; engine: Engine; events: string[] }> {
  const home = directory ?? (await mkdtemp(join(tmpdir(), "slipway-engine-")));
  const store = await openSqliteStore({ directory: home });
  const events: string[] = [];
  const log: EngineLog = (event) => events.push(event);
  const engine = sqliteEngine({ store, clock, log });
  onTestFinished(async () => {
    await engine.close();
    await store.close();
    if (directory === undefined) await rm(home, { recursive: true, force: true });
  });
  return { store, engine, events };
}

test("a sleep follows the wall clock when that jumps ahead", async () => {
  const clock = new ManualClock(begin);
  const { engine } = await setUp(clock);
  engine.register("sleep.v1", async (ctx) => {
    await ctx.sleep("z", 10 * hour);
    return "awake";
  });
  await engine.open();
  await engine.start("sleep.v1", "w", null);
  await clock.sleepers(2);
  // The person set the clock; no timer of ours knows. It is looked at again after a minute at most.
  clock.jump(11 * hour);
  clock.advance(60_000);

  expect(await engine.ended("w")).toMatchObject({ output: "awake" });
});

test("a schedule goes on when the clock was set back, and starts no time twice", async () => {
  const clock = new ManualClock(begin);
  const { engine, store } = await setUp(clock);
  engine.register("tick.v1", async () => null);
  await engine.open();
  await engine.schedule("hourly", "0 * * * *", "tick.v1", null);
  const started = async (): Promise<string[]> =>
    (await store.db.selectFrom("workflow").select("id").orderBy("number").execute()).map(({ id }) => id);
  const until = async (count: number): Promise<void> => {
    while ((await started()).length < count) {
      await clock.sleepers(1);
      clock.advance(60_000);
    }
  };
  await until(2);
  clock.jump(-3 * hour);
  await until(4);

  expect(await started()).toEqual([
    "hourly@2026-11-21T11:00:00.000Z",
    "hourly@2026-11-21T12:00:00.000Z",
    "hourly@2026-11-21T10:00:00.000Z",
    "hourly@2026-11-21T13:00:00.000Z",
  ]);
});

test("all times missed while closed are one start, of the first, also when the schedule is declared again", async () => {
  const clock = new ManualClock(begin);
  const { engine, store } = await setUp(clock);
  engine.register("tick.v1", async () => null);
  await engine.schedule("hourly", "0 * * * *", "tick.v1", null);
  clock.jump(5 * hour);
  await engine.schedule("hourly", "0 * * * *", "tick.v1", null);
  await engine.open();
  await clock.sleepers(1);

  const started = await store.db.selectFrom("workflow").select("id").execute();
  expect(started.map(({ id }) => id)).toEqual(["hourly@2026-11-21T11:00:00.000Z"]);
  const { next_at } = await store.db.selectFrom("workflow_schedule").select("next_at").executeTakeFirstOrThrow();
  expect(new Date(next_at).toISOString()).toBe("2026-11-21T16:00:00.000Z");
});

test("forgetting what has ended keeps the outcome, and work that goes on", async () => {
  const clock = new ManualClock(begin);
  const { engine, store } = await setUp(clock);
  // With a limit: only then is a wait that is under way written down.
  engine.register("wait.v1", async (ctx) => await ctx.waitFor("go", { timeoutMs: 10 * hour }));
  await engine.open();
  for (const id of ["old", "new", "open"]) await engine.start("wait.v1", id, null);
  await engine.signal("old", "go", 1, "k");
  await engine.ended("old");
  clock.jump(hour);
  await engine.signal("new", "go", 2, "k");
  await engine.ended("new");

  expect(await forgetEnded(store.db, begin + hour)).toBe(1);
  expect(await forgetEnded(store.db, begin + hour)).toBe(0);
  const steps = await store.db.selectFrom("workflow_step").select("workflow_id").execute();
  expect(steps.map((row) => row.workflow_id).toSorted()).toEqual(["new", "open"]);
  expect(await engine.get("old")).toMatchObject({ status: "succeeded", output: 1 });
  await engine.start("wait.v1", "old", null);
  expect(await engine.get("old")).toMatchObject({ status: "succeeded", output: 1 });
  expect((await store.check()).ok).toBe(true);
});

test("a signal in a transaction comes with it, or not at all", async () => {
  const { engine, store } = await setUp(new ManualClock(begin));
  engine.register("wait.v1", async (ctx) => [await ctx.waitFor("go"), await ctx.waitFor("go")]);
  await engine.open();
  await engine.start("wait.v1", "w", null);
  const undone = store.db.transaction().execute(async (trx) => {
    await engine.signalWithin(trx, "w", "go", "undone", "k0");
    throw new Error("undone");
  });
  await expect(undone).rejects.toThrow("undone");
  for (const payload of ["first", "second"]) {
    const tell = await store.db.transaction().execute((trx) => engine.signalWithin(trx, "w", "go", payload, payload));
    tell();
  }
  expect(await engine.ended("w")).toMatchObject({ output: ["first", "second"] });
  const late = await store.db.transaction().execute((trx) => engine.signalWithin(trx, "w", "go", "late", "k3"));
  late();
  expect(await store.db.selectFrom("workflow_signal").select("key").where("key", "=", "k3").execute()).toEqual([]);
});

test("forgets by itself what ended more than a week ago, and nothing younger", async () => {
  const clock = new ManualClock(begin);
  const { engine, store } = await setUp(clock);
  engine.register("one.v1", async (ctx) => ctx.step("one", async () => 1));
  await engine.open();
  const day = 24 * hour;
  for (const id of ["first", "second", "third"]) {
    await engine.start("one.v1", id, null);
    await engine.ended(id);
    clock.advance(4 * day);
  }
  await engine.start("one.v1", "last", null);
  await engine.ended("last");
  // It waits for all that is under way, this clean-up included.
  await engine.close();
  const steps = await store.db.selectFrom("workflow_step").select("workflow_id").execute();
  expect([...new Set(steps.map((row) => row.workflow_id))].toSorted()).toEqual(["last", "third"]);
  expect((await store.check()).ok).toBe(true);
});

test("while the disk is full, what was performed is not forgotten and not repeated; work goes on when there is space", async ({
  skip,
}) => {
  const home = await mkdtemp(join(tmpdir(), "slipway-engine-"));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  const disk = await smallDisk(home, skip);
  const { engine, store, events } = await setUp(wallClock, disk);
  let performed = 0;
  let filler = "";
  const large = "x".repeat(400_000);
  engine.register("fill.v1", async (ctx) => {
    await ctx.step("fill", async () => {
      performed++;
      filler = fillDisk(disk);
      return large;
    });
    return await ctx.tx("write", async (trx) => {
      await trx.insertInto("artifact").values({ digest: "sha256:1", bytes: 1, created_at: 1 }).execute();
      return "written";
    });
  });
  await engine.open();
  await engine.start("fill.v1", "w", null);
  await expect.poll(() => events, { timeout: 60_000 }).toContain("store.failing");
  expect(await engine.get("w")).toMatchObject({ status: "running" });
  await rm(filler);

  expect(await engine.ended("w")).toMatchObject({ status: "succeeded", output: "written" });
  expect(performed).toBe(1);
  expect((await store.check()).ok).toBe(true);
});

test("what a closing engine refuses a transaction is no outcome of it: it is written at the next open", async () => {
  const home = await mkdtemp(join(tmpdir(), "slipway-engine-"));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  let closing: () => Promise<void> = async () => undefined;
  const register = (engine: Engine): void => {
    engine.register("other.v1", async () => "there");
    engine.register("first.v1", async (ctx) => {
      let go = async (): Promise<void> => undefined;
      await ctx.finish(
        "begin the other",
        async () => null,
        async (trx) => {
          await closing();
          go = await engine.startWithin(trx, "other.v1", "other", null);
          return null;
        },
      );
      await go();
      return null;
    });
  };
  const store = await openSqliteStore({ directory: home });
  const first = sqliteEngine({ store, clock: wallClock });
  register(first);
  await first.open();
  const closed = new Promise<void>((resolve) => {
    closing = async () => void first.close().then(resolve);
  });
  await first.start("first.v1", "first", null);
  await closed;
  await store.close();

  closing = async () => undefined;
  const { engine } = await setUp(wallClock, home);
  register(engine);
  await engine.open();
  expect(await engine.ended("first")).toMatchObject({ status: "succeeded" });
  expect(await engine.ended("other")).toMatchObject({ output: "there" });
});
