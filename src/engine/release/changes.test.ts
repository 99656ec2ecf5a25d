import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { deploymentId, environmentName, releaseId, runId } from "../../core/ids.ts";
import type { Commit } from "../../core/release/commit.ts";
import { openSqliteStore } from "../../drivers/stores/sqlite/index.ts";
import type { Source } from "../../ports/source.ts";
import type { Store } from "../../ports/store.ts";
import type { DeploymentRow } from "../../ports/tables.ts";
import type { World } from "../world.ts";
import { noteChanges } from "./changes.ts";

const commit = (hash: string): Commit => ({ hash, subject: `fix: ${hash}`, body: "", author: "Ada", at: 0 });
const own = [commit("c3")];

let directory: string;
let store: Store;
let world: World;
/** What git was asked for; what it throws, it throws. */
let asked: unknown[];
let answer: () => readonly Commit[];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "slipway-changes-"));
  store = await openSqliteStore({ directory });
  for (const number of [1, 3]) await insertRelease(number);
  await insertRun();
  const commits: Source["commits"] = async (repository, range) => {
    asked.push({ repository, ...range });
    return answer();
  };
  world = { store, source: { commits } } as unknown as World;
});

afterAll(async () => {
  await store.close();
  await rm(directory, { recursive: true, force: true });
});

beforeEach(() => {
  asked = [];
  answer = () => [commit("c3"), commit("c2")];
});

it("records what came since the release that was live when it began, and again the same", async () => {
  await insertDeployment("dep_a", { kind: "promotion", stable_id: releaseId("rel_1") });
  await noteChanges(world, deploymentId("dep_a"));
  await noteChanges(world, deploymentId("dep_a"));
  expect(await changeLog("dep_a")).toEqual(["c3", "c2"]);
  expect(asked[0]).toEqual({ repository: "/shop", from: "c1", to: "c3" });
});

it("asks for all there is where nothing was live", async () => {
  await insertDeployment("dep_b", { kind: "deploy", stable_id: null });
  await noteChanges(world, deploymentId("dep_b"));
  expect(asked).toEqual([{ repository: "/shop", from: null, to: "c3" }]);
});

it("keeps the release's own commits where git cannot answer", async () => {
  answer = () => {
    throw new Error("the repository has moved");
  };
  await insertDeployment("dep_c", { kind: "deploy", stable_id: releaseId("rel_1") });
  await noteChanges(world, deploymentId("dep_c"));
  expect(await changeLog("dep_c")).toEqual(["c3"]);
});

it("has nothing to say of a rollback", async () => {
  await insertDeployment("dep_d", { kind: "rollback", stable_id: releaseId("rel_1"), change_log: "[]" });
  await noteChanges(world, deploymentId("dep_d"));
  expect([await changeLog("dep_d"), asked]).toEqual([[], []]);
});

async function changeLog(id: string): Promise<string[]> {
  const row = await store.db
    .selectFrom("deployment")
    .select("change_log")
    .where("id", "=", deploymentId(id))
    .executeTakeFirstOrThrow();
  return (JSON.parse(row.change_log) as Commit[]).map(({ hash }) => hash);
}

async function insertRelease(number: number): Promise<void> {
  await store.db
    .insertInto("release")
    .values({
      id: releaseId(`rel_${number}`),
      product: "shop",
      number,
      version: `0.${number}.0`,
      commit_hash: `c${number}`,
      dirty: 0,
      subject: "s",
      author: "a",
      branch: null,
      config_digest: "sha256:0",
      config: "{}",
      artifacts: "{}",
      commits: JSON.stringify(own),
      created_at: 0,
      created_by: "a",
      pinned: 0,
      pruned_at: null,
    })
    .execute();
}

async function insertRun(): Promise<void> {
  await store.db
    .insertInto("run")
    .values({
      id: runId("run_1"),
      product: "shop",
      repository: "/shop",
      commit_hash: "c3",
      dirty: 0,
      phase: "succeeded",
      reason: "",
      error: null,
      release_id: releaseId("rel_3"),
      created_at: 0,
      created_by: "a",
      ended_at: 0,
    })
    .execute();
}

async function insertDeployment(id: string, values: Partial<DeploymentRow>): Promise<void> {
  await store.db
    .insertInto("deployment")
    .values({
      id: deploymentId(id),
      product: "shop",
      environment: environmentName("production"),
      release_id: releaseId("rel_3"),
      stable_id: null,
      kind: "deploy",
      phase: "retiring",
      state: "",
      version: 0,
      reason: "",
      change_log: JSON.stringify(own),
      created_at: 0,
      created_by: "a",
      started_at: 0,
      live_at: 0,
      detected_at: null,
      restored_at: null,
      ended_at: null,
      ...values,
    })
    .execute();
}
