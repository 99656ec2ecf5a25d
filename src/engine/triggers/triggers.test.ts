import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { ProductInput } from "../../core/product/input.ts";
import { gitSource } from "../../drivers/sources/git/index.ts";
import { openSqliteStore } from "../../drivers/stores/sqlite/index.ts";
import type { Engine } from "../../ports/engine.ts";
import type { Store } from "../../ports/store.ts";
import { ManualClock } from "../../testing/engine/manual-clock.ts";
import { Changes } from "../history.ts";
import { sqliteEngine } from "../sqlite/engine.ts";
import type { World } from "../world.ts";
import { Poller } from "./poller.ts";
import { scheduleWorkflow } from "./schedule.ts";
import { applyTriggers, scheduleKind } from "./settings.ts";
import { triggerKind } from "./workflow.ts";

const hourMs = 3_600_000;
/** Just after midnight. */
const start = Date.UTC(2026, 10, 26, 0, 1);

let directory: string;
let repository: string;
let remote: string;
let store: Store;
let engine: Engine;
let world: World;
let clock: ManualClock;
let config: ProductInput;
let ids: number;
let warned: string[];

const git = (at: string, ...args: string[]): string =>
  execFileSync("git", ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", ...args], {
    cwd: at,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  }).trim();

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "slipway-triggers-"));
  [repository, remote] = [join(directory, "shop"), join(directory, "remote.git")];
  for (const each of [repository, remote, join(directory, "state")]) mkdirSync(each);
  git(remote, "init", "--quiet", "--bare");
  git(repository, "init", "--quiet", "--initial-branch=main");
  git(repository, "commit", "--quiet", "--allow-empty", "-m", "feat: the first");
  git(repository, "remote", "add", "origin", remote);
  git(repository, "push", "--quiet", "origin", "main");
  store = await openSqliteStore({ directory: join(directory, "state") });
  clock = new ManualClock(start);
  engine = sqliteEngine({ store, clock });
  [ids, warned] = [0, []];
  world = {
    store,
    engine,
    clock,
    changes: new Changes(),
    source: gitSource(),
    readConfig: async () => config,
    newId: () => `${ids++}`,
    log: { info: () => {}, warn: (event: string) => void warned.push(event), error: () => {} },
  } as Partial<World> as World;
  engine.register<{ readonly event: string }, null>(triggerKind, async () => null);
  engine.register(scheduleKind, scheduleWorkflow(world));
  await engine.open();
});

afterEach(async () => {
  await engine.close();
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

const apply = (triggers: ProductInput["triggers"]) => {
  config = { name: "shop", services: {}, triggers };
  return applyTriggers(world, { product: "shop", repository, actor: "ada" });
};

async function events(): Promise<readonly string[]> {
  const rows = await store.db.selectFrom("trigger_event").selectAll().orderBy("number").execute();
  return rows.map(({ source, phase, reason }) => `${source} ${phase}: ${reason}`);
}

/** Resolves when so many events have been written down. */
async function heard(count: number): Promise<readonly string[]> {
  for (;;) {
    const changed = world.changes.next(new AbortController().signal);
    const all = await events();
    if (all.length >= count) return all;
    await changed;
  }
}

it("a schedule is heard of at its times, as long as it is in force", async () => {
  await apply({ schedules: { nightly: { cron: "0 3 * * *", branch: "main", deploy: "production" } } });
  await clock.sleepers(1);
  clock.advance(3 * hourMs);
  const one = "schedule begun: schedule nightly: a release for production of the newest of main";
  expect(await heard(1)).toEqual([one]);
  clock.advance(24 * hourMs);
  expect(await heard(2)).toEqual([one, one]);

  await apply(undefined);
  expect(await store.db.selectFrom("workflow_schedule").selectAll().execute()).toEqual([]);
  expect(await store.db.selectFrom("trigger_config").selectAll().execute()).toEqual([]);
});

it("a schedule that is none is refused before anything is in force", async () => {
  const schedules = { nightly: { cron: "0 3 * * *", branch: "main", timeZone: "Mars/Olympus" } };
  await expect(apply({ schedules })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  expect(await store.db.selectFrom("trigger_config").selectAll().execute()).toEqual([]);
});

it("a remote that is polled is looked at first, and then each of its changes is heard of once", async () => {
  await apply({ branches: { "*": {} }, poll: "1m" });
  const poller = new Poller(world);
  /** Time passes until it holds. */
  const until = async (holds: () => Promise<boolean>): Promise<void> => {
    for (; !(await holds()); clock.advance(20_000)) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  let last = 0;
  const asked = () =>
    until(async () => {
      const { polled_at } = await store.db.selectFrom("trigger_config").selectAll().executeTakeFirstOrThrow();
      const isNew = polled_at !== null && polled_at > last;
      if (isNew) last = polled_at;
      return isNew;
    });
  poller.open();
  try {
    await asked();
    expect(await events()).toEqual([]);
    git(repository, "commit", "--quiet", "--allow-empty", "-m", "feat: the second");
    git(repository, "push", "--quiet", "origin", "main", "main:new");
    const hash = git(repository, "rev-parse", "--short=7", "HEAD");
    await until(async () => (await events()).length > 0);
    for (let look = 0; look < 2; look++) {
      await asked();
      expect(await events()).toEqual([`poll begun: main at ${hash}: a run`, `poll begun: new at ${hash}: a run`]);
    }
    rmSync(remote, { recursive: true });
    await until(async () => warned.length > 0);
    expect(warned).toEqual(["triggers.remote-away"]);
  } finally {
    await poller.close();
  }
});
