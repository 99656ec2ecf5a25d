import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type ReleaseId, runId } from "../../src/core/ids.ts";
import { checkOut } from "../../src/engine/release/build.ts";
import { workspaceOf } from "../../src/engine/release/build-log.ts";
import type { ReleaseConfig } from "../../src/engine/release/read.ts";
import { smallDisk } from "../../src/testing/engine/small-disk.ts";
import { Plane } from "./plane.fixture.ts";

let plane: Plane;

beforeAll(async () => {
  plane = await Plane.start({ environments: { production: {} } });
});

afterEach(() => {
  // The tree is as it is committed, whatever a test left.
  plane.product.git("reset", "--quiet", "--hard");
  plane.product.git("clean", "--quiet", "-fd");
});

afterAll(() => plane.close());

const row = (id: ReleaseId) =>
  plane.world.store.db.selectFrom("release").selectAll().where("id", "=", id).executeTakeFirstOrThrow();
const artifacts = async (id: ReleaseId): Promise<Record<string, string>> => JSON.parse((await row(id)).artifacts);
/** Workspaces of runs, and the names of what is left in them. */
const workspaces = () =>
  readdirSync(join(plane.product.state, "runs")).flatMap((run) => readdirSync(join(plane.product.state, "runs", run)));

describe("a release", () => {
  it("is made from a commit, with its number, version, change log and the config of every environment", async () => {
    const hash = plane.product.commit("v1");
    const made = await row(await plane.release());
    expect(made).toMatchObject({
      number: 1,
      version: "0.1.0",
      commit_hash: hash,
      dirty: 0,
      subject: "feat: v1",
      author: "Ada",
      branch: "main",
      created_by: "ada",
    });
    const { environments } = JSON.parse(made.config) as ReleaseConfig;
    expect(Object.keys(environments)).toEqual(["production"]);
    plane.product.commit("v2");
    const next = await row(await plane.release());
    expect([
      next.number,
      next.version,
      JSON.parse(next.commits).map((commit: { subject: string }) => commit.subject),
    ]).toEqual([2, "0.2.0", ["feat: v2"]]);
    expect(workspaces()).toEqual([]);
  });

  it("is made once for a commit: asked for again, the same one is answered", async () => {
    const [first, again] = [await plane.release(), await plane.release()];
    expect(again).toBe(first);
    const older = await plane.release({ revision: "HEAD~1" });
    expect((await row(older)).number).toBe(1);
  });

  it("has one artifact for services with the same content, and the same one in the next release when nothing changed", async () => {
    plane.product.write("README.md", "words");
    plane.product.git("add", "--all");
    plane.product.git("commit", "--quiet", "-m", "docs: words");
    const before = await artifacts(await plane.release({ revision: "HEAD~1" }));
    const after = await artifacts(await plane.release());
    expect([after.web, after.worker]).toEqual([before.web, before.web]);
  });

  it("is of the commit alone: what lies about in the tree does not come into it", async () => {
    const clean = await artifacts(await plane.release());
    plane.product.write("app/stray.txt", "not committed");
    const named = await plane.release({ revision: plane.product.git("rev-parse", "HEAD") });
    expect(await artifacts(named)).toEqual(clean);
  });
});

describe("a dirty tree", () => {
  it("is refused, with the paths", async () => {
    plane.product.write("app/web.mjs", "changed");
    for (let index = 0; index < 8; index += 1) plane.product.write(`new/${index}`, "x");
    await expect(plane.release()).rejects.toMatchObject({
      code: "TREE_DIRTY",
      message: "the working tree differs from HEAD in 9 paths",
      evidence: expect.arrayContaining([
        ["changed", "app/web.mjs"],
        ["and", "3 more"],
      ]),
    });
  });

  it("makes a release of its own, marked, when that is said; the next clean one does not count from it", async () => {
    const clean = await plane.release();
    plane.product.write("app/web.mjs", "changed");
    const dirty = await row(await plane.release({ dirty: true }));
    expect(dirty).toMatchObject({ dirty: 1, version: expect.stringMatching(/\+dirty$/) });
    expect((await artifacts(dirty.id)).web).not.toBe((await artifacts(clean)).web);
    plane.product.git("reset", "--quiet", "--hard");
    expect(await plane.release()).toBe(clean);
    plane.product.commit("v3");
    expect((await row(await plane.release())).version).not.toContain("dirty");
  });
});

describe("a build", () => {
  it("runs in a clean checkout, and only its output is packed", async () => {
    const { product } = plane;
    const build = {
      command: ["sh", "-c", 'mkdir -p out && echo "$SLIPWAY_COMMIT $CI" > out/built && cp *.mjs out/'],
      output: "out",
    };
    const hash = product.commit("v4", { services: { web: product.web({ build }) } });
    const id = await plane.release();
    expect((await plane.deploy("production", id)).phase).toBe("succeeded");
    const directory = join(product.state, "revisions", `rev_probe-production-web-r${(await row(id)).number}`);
    expect(readFileSync(join(directory, "built"), "utf8")).toBe(`${hash} true\n`);
    expect(readdirSync(directory).toSorted()).toEqual(["built", "common.mjs", "job.mjs", "web.mjs", "worker.mjs"]);
    expect(readdirSync(join(product.repository, "app"))).not.toContain("out");
  });

  it("that fails ends the run with its last lines; there is no release, and the next one is made", async () => {
    const { product } = plane;
    const build = { command: ["sh", "-c", "echo compiling; echo 'no such module' >&2; exit 4"], output: "out" };
    product.commit("v5", { services: { web: product.web({ build }) } });
    await expect(plane.release()).rejects.toMatchObject({
      code: "BUILD_FAILED",
      message: "the build of web ended with exit code 4",
      evidence: [
        ["command", build.command.join(" ")],
        ...["compiling", "no such module"].map((line) => ["output", line]),
      ],
    });
    product.commit("v6");
    expect((await row(await plane.release())).subject).toBe("feat: v6");
  });

  it("whose program, output or directory is not there says which", async () => {
    const { product } = plane;
    const broken = async (web: Parameters<typeof product.web>[0]) => {
      product.commit(`broken ${JSON.stringify(web)}`, { services: { web: product.web(web) } });
      return plane.release();
    };
    await expect(broken({ build: { command: ["no-such-compiler"], output: "out" } })).rejects.toMatchObject({
      code: "BUILD_FAILED",
      message: expect.stringContaining("could not be started"),
    });
    await expect(broken({ build: { command: ["true"], output: "nowhere" } })).rejects.toMatchObject({
      code: "BUILD_FAILED",
      message: expect.stringContaining("nowhere"),
    });
    await expect(broken({ path: "absent" })).rejects.toMatchObject({
      code: "BUILD_FAILED",
      message: expect.stringContaining("absent"),
    });
  });

  it("that takes too long is stopped, with all it started", async () => {
    const { product } = plane;
    const build = {
      command: ["sh", "-c", "sleep 60 & echo $! > ../../pid; wait"],
      output: "out",
      timeout: "1s" as const,
    };
    product.commit("v7", { services: { web: product.web({ build }) } });
    await expect(plane.release()).rejects.toMatchObject({
      code: "BUILD_FAILED",
      message: "the build of web was stopped after 1s, its timeout",
    });
    const runs = join(product.state, "runs");
    const pid =
      readdirSync(runs)
        .map((run) => Number(readIfThere(join(runs, run, "pid"))))
        .find((each) => each > 0) ?? 0;
    expect(pid).toBeGreaterThan(0);
    const signal = AbortSignal.timeout(90_000);
    while (isAlive(pid)) await plane.world.clock.sleep(10, signal);
  });
});

describe("a commit", () => {
  it("without a config, with a wrong one, or of another product is refused with the reason", async () => {
    const { product } = plane;
    const commitConfig = async (text: string | null) => {
      if (text === null) rmSync(join(product.repository, "slipway.config.json"));
      else product.write("slipway.config.json", text);
      product.git("add", "--all");
      product.git("commit", "--quiet", "--allow-empty", "-m", "config");
      return plane.release();
    };
    await expect(commitConfig(null)).rejects.toMatchObject({
      code: "CONFIG_NOT_FOUND",
      message: "the commit has no slipway.config",
    });
    await expect(commitConfig("{")).rejects.toMatchObject({ code: "CONFIG_UNREADABLE" });
    await expect(commitConfig('{"name":"probe","services":{"web":{"kind":"web"}}}')).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });
    await expect(
      commitConfig('{"name":"other","services":{"web":{"kind":"web","command":["x"]}}}'),
    ).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: "the config at this commit is of product other, not probe",
    });
    product.commit("v8");
  });

  it("that does not fit on the disk leaves the room there was, so that its failure can be written down", async ({
    skip,
  }) => {
    plane.product.write("large", "x".repeat(20_000_000));
    plane.product.git("add", "--all");
    plane.product.git("commit", "--quiet", "-m", "feat: large");
    const hash = plane.product.git("rev-parse", "HEAD");
    const workspace = workspaceOf({ runsDirectory: await smallDisk(plane.product.state, skip) }, runId("run_large"));
    await expect(
      checkOut(
        plane.world,
        workspace,
        { repository: plane.product.repository, hash, dirty: false },
        AbortSignal.timeout(90_000),
      ),
    ).rejects.toMatchObject({ code: "DISK_FULL" });
    expect(readdirSync(workspace.directory)).toEqual([]);
    plane.product.git("reset", "--quiet", "--hard", "HEAD~1");
  });

  it("that does not exist is refused before a run begins", async () => {
    await expect(plane.release({ revision: "nowhere" })).rejects.toMatchObject({ code: "GIT_UNKNOWN_COMMIT" });
  });
});

describe("a run that a crash left behind", () => {
  it("between its record and its begin is begun by the next control plane", async () => {
    const { product, world } = plane;
    const hash = product.commit("v9");
    const id = runId("run_left_behind");
    await world.store.db
      .insertInto("run")
      .values({
        id,
        product: "probe",
        repository: product.repository,
        commit_hash: hash,
        dirty: 0,
        phase: "queued",
        reason: "from a crash",
        error: null,
        release_id: null,
        created_at: world.clock.now(),
        created_by: "ada",
        ended_at: null,
      })
      .execute();
    await plane.restart();
    const signal = AbortSignal.timeout(90_000);
    const run = () => plane.world.store.db.selectFrom("run").selectAll().where("id", "=", id).executeTakeFirstOrThrow();
    while ((await run()).ended_at === null) await plane.world.clock.sleep(10, signal);
    expect(await run()).toMatchObject({ phase: "succeeded", release_id: expect.stringMatching(/^rel_/) });
  });
});

function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function isAlive(pid: number): boolean {
  try {
    // A zombie is dead: only its parent has not looked yet.
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
