import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { environmentName, type ReleaseId } from "../../src/core/ids.ts";
import { pin } from "../../src/engine/commands/pin.ts";
import { plan } from "../../src/engine/commands/plan.ts";
import { startRun } from "../../src/engine/commands/start-run.ts";
import { Plane } from "./plane.fixture.ts";

let plane: Plane;
const releases: ReleaseId[] = [];
const hashes: string[] = [];

/** The releases by their number: r1 is the first. */
const r = (number: number): ReleaseId => releases[number - 1]!;
const row = (id: ReleaseId) =>
  plane.world.store.db.selectFrom("release").selectAll().where("id", "=", id).executeTakeFirstOrThrow();
const artifactFiles = () => readdirSync(join(plane.product.state, "artifacts")).toSorted();
const revisionDirectories = (service: string) =>
  readdirSync(join(plane.product.state, "revisions"))
    .filter((name) => name.includes(`-${service}-`))
    .toSorted();
/** The files of all digests that these releases have. */
const filesOf = async (...ids: ReleaseId[]) => {
  const digests = await Promise.all(
    ids.map(async (id) => Object.values<string>(JSON.parse((await row(id)).artifacts))),
  );
  return [...new Set(digests.flat())].map((digest) => `${digest.replace("sha256:", "")}.tar`).toSorted();
};
const kept = async () => {
  const rows = await plane.world.store.db
    .selectFrom("release")
    .select("number")
    .where("pruned_at", "is", null)
    .orderBy("number")
    .execute();
  return rows.map(({ number }) => `r${number}`);
};

async function make(version: string): Promise<ReleaseId> {
  const { product } = plane;
  product.write("docs/index.html", "the same in every release");
  hashes.push(
    product.commit(version, {
      services: {
        web: product.web(),
        docs: { kind: "static", path: "docs", routes: [{ path: "/docs", strip: true }] },
      },
      retention: { releases: 2 },
    }),
  );
  const id = await plane.release();
  releases.push(id);
  return id;
}

beforeAll(async () => {
  plane = await Plane.start({ environments: { production: {}, staging: {} } });
  for (const version of ["v1", "v2", "v3", "v4", "v5", "v6", "v7"]) {
    const id = await make(version);
    if (version === "v1") expect((await plane.deploy("staging", id)).phase).toBe("succeeded");
    if (version === "v2")
      await pin(plane.world, { release: id, pinned: true, actor: "ada", reason: "the last one before the move" });
    expect((await plane.deploy("production", id)).phase).toBe("succeeded");
  }
});

afterEach(async () => {
  await plane.expectAtRest("production");
  await plane.expectAtRest("staging");
});
afterAll(() => plane.close());

describe("after seven releases of which two are to be kept", () => {
  it("what is live anywhere, pinned, new, and the way back are there with their files; the others are records", async () => {
    // r1 is live in staging, r2 is pinned, r5 to r7 are the newest.
    expect(await kept()).toEqual(["r1", "r2", "r5", "r6", "r7"]);
    expect(artifactFiles()).toEqual(await filesOf(r(1), r(2), r(5), r(6), r(7)));
    expect(revisionDirectories("web").filter((name) => name.includes("production"))).not.toContain(
      "rev_probe-production-web-r3",
    );
    const records = await plane.world.store.db.selectFrom("release").select("id").execute();
    expect(records).toHaveLength(7);
    const history = await plane.world.store.db
      .selectFrom("history")
      .select("event")
      .where("release_id", "=", r(3))
      .execute();
    expect(history.map(({ event }) => event)).toContain("deployment.succeeded");
    expect(plane.troubles.filter((line) => !line.startsWith("keeper."))).toEqual([]);
  });

  it("an artifact that a kept release shares is there, once", async () => {
    const digest = JSON.parse((await row(r(3))).artifacts).docs;
    expect(JSON.parse((await row(r(7))).artifacts).docs).toBe(digest);
    expect(artifactFiles()).toContain(`${digest.replace("sha256:", "")}.tar`);
    expect(await plane.visit("production", "/docs/index.html")).toBe("200 the same in every release");
  });

  it("one that was pruned cannot be deployed nor gone back to, with the way to have it again; the plan says so before", async () => {
    await expect(plane.start("production", r(3))).rejects.toMatchObject({
      code: "ARTIFACT_MISSING",
      message: expect.stringMatching(/^the artifacts of r3 were pruned at /),
    });
    await expect(plane.rollback("production", { to: r(3) })).rejects.toMatchObject({ code: "ARTIFACT_MISSING" });
    const planned = await plan(plane.world, { release: r(3), environment: environmentName("production") });
    expect(planned.blocked).toEqual(["the artifacts of r3 were pruned; make it again from its commit"]);
  });

  it("its commit makes another release with the same content", async () => {
    const again = await plane.release({ revision: hashes[2]! });
    expect(again).not.toBe(r(3));
    expect((await row(again)).artifacts).toBe((await row(r(3))).artifacts);
    expect((await row(again)).number).toBe(8);
  });

  it("as many ways back as are kept lead to releases that are whole", async () => {
    expect(await plane.visit("production")).toBe("200 v7");
    await plane.ended(await plane.rollback("production"));
    expect(await plane.visit("production")).toBe("200 v6");
    await plane.ended(await plane.rollback("production"));
    expect(await plane.visit("production")).toBe("200 v5");
  });
});

describe("pruning", () => {
  it("takes what a failed run has packed and no release has", async () => {
    const { product } = plane;
    const build = { command: ["false"], output: "out" };
    product.commit("broken", { services: { web: product.web(), zoo: product.worker({ build }) } });
    await expect(plane.release()).rejects.toMatchObject({ code: "BUILD_FAILED" });
    await plane.ended(await plane.start("production", await make("v9")));
    const all = (
      await plane.world.store.db.selectFrom("release").select("id").where("pruned_at", "is", null).execute()
    ).map(({ id }) => id);
    expect(artifactFiles()).toEqual(await filesOf(...all));
  });

  it("leaves alone what a run under way has packed, also when only a pruned release had it", async () => {
    const { product, world } = plane;
    const old = JSON.parse((await row(r(4))).artifacts).web as string;
    const file = join(product.state, "artifacts", `${old.replace("sha256:", "")}.tar`);
    // The content of v4 again, in a run that takes its time with another service; meanwhile a deployment ends, and prunes.
    product.git("checkout", "--quiet", hashes[3]!, "--", "app");
    const gate = join(product.root, "gate");
    const build = {
      command: ["sh", "-c", `until [ -e ${gate} ]; do sleep 0.02; done; mkdir out; cp *.mjs out`],
      output: "out",
    };
    const config = JSON.parse(product.git("show", "HEAD:slipway.config.json"));
    config.services = { web: product.web(), zoo: product.worker({ build }) };
    product.write("slipway.config.json", JSON.stringify(config));
    product.git("add", "--all");
    product.git("commit", "--quiet", "-m", "revert: v4 again, slowly");
    const { run } = await startRun(world, {
      product: "probe",
      repository: product.repository,
      revision: "HEAD",
      dirty: false,
      actor: "ada",
    });
    const signal = AbortSignal.timeout(90_000);
    while ((await reasonOf(run!)) !== "building zoo") await world.clock.sleep(5, signal);
    expect(existsSync(file)).toBe(true);
    expect((await plane.deploy("production", r(2))).phase).toBe("succeeded");
    expect(existsSync(file)).toBe(true);
    writeFileSync(gate, "");
    await world.engine.ended(run!);
    const { release_id } = await world.store.db
      .selectFrom("run")
      .selectAll()
      .where("id", "=", run!)
      .executeTakeFirstOrThrow();
    expect((await plane.deploy("production", release_id!)).phase).toBe("succeeded");
    expect(await plane.visit("production")).toBe("200 v4");
  });
});

async function reasonOf(run: string): Promise<string> {
  return (
    await plane.world.store.db
      .selectFrom("run")
      .select("reason")
      .where("id", "=", run as never)
      .executeTakeFirstOrThrow()
  ).reason;
}
