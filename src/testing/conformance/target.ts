import { randomBytes } from "node:crypto";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Digest,
  environmentName,
  type InstanceId,
  instanceId,
  releaseId,
  revisionId,
  serviceName,
} from "../../core/ids.ts";
import { Secret } from "../../core/secret.ts";
import type { Restarts } from "../../ports/restarts.ts";
import type { Sessions } from "../../ports/session.ts";
import type { Stopping } from "../../ports/stopping.ts";
import type { Artifact, InstanceStatus, LogLine, RevisionSpec, Target } from "../../ports/target.ts";
import { appSource } from "./target/app.ts";
import { runBeside, runsCommandsBeside, talksOnATerminal } from "./target/commands.ts";
import { container } from "./target/container.ts";
import type { TargetHarness } from "./target/harness.ts";
import {
  ask,
  eventually,
  family,
  isAlive,
  isRefused,
  nextThat,
  packed,
  runningOf,
  textOf,
  textsOf,
} from "./target/observing.ts";
import { restartsOne } from "./target/restarting.ts";
import { startsWhatItWasStopping, stopsWithoutSpec } from "./target/stopping.ts";

export type { TargetHarness } from "./target/harness.ts";

const never = new AbortController().signal;

/** What every target must do. `make` gives an empty place. */
export function targetConformance(name: string, make: () => Promise<TargetHarness>): void {
  describe(`target: ${name}`, () => {
    let harness: TargetHarness;
    let target: Target & Partial<Restarts> & Partial<Stopping> & Partial<Sessions>;
    let folder: string;
    let artifact: Artifact;
    let isImage: boolean;

    beforeAll(async () => {
      harness = await make();
      target = await harness.open("shop");
      folder = await mkdtemp(join(tmpdir(), "slipway-target-"));
      const files = { "app.cjs": appSource, "hello world ü.txt": "hello" };
      isImage = harness.image !== undefined;
      artifact = harness.virtual?.artifact ?? (await harness.image?.(files)) ?? (await packed(folder, files));
    });

    afterAll(async () => {
      await target?.close();
      await harness?.close();
      if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    });

    const spec = (command: readonly string[], more: Partial<RevisionSpec> = {}): RevisionSpec => ({
      id: revisionId(`rev_${randomBytes(4).toString("hex")}`),
      product: "shop",
      environment: environmentName("production"),
      service: serviceName("web"),
      release: releaseId("rel_1"),
      configDigest: `sha256:${"c".repeat(64)}` as Digest,
      mode: "service",
      artifact,
      container: isImage ? container : null,
      command: [isImage ? "node" : process.execPath, "app.cjs", ...command],
      env: {},
      listens: true,
      stopGraceMs: 2_000,
      memoryBytes: null,
      cpus: null,
      ...more,
    });

    /** The command ends with the container that it runs in. */
    const killInside = async (id: InstanceId, pid: number): Promise<void> => {
      const session = await (target as Sessions).session(
        { place: { instance: id }, command: ["kill", "-9", String(pid)], terminal: null },
        never,
      );
      session.end();
      await session.exit.catch(() => {});
    };
    /** As the kernel ends a program, not as somebody stops it. */
    const kill = async ({ id, pid }: InstanceStatus, pidInside: number): Promise<void> => {
      if (harness.virtual !== undefined) harness.virtual.kill(id);
      else if (isImage) await killInside(id, pidInside);
      else process.kill(pid ?? 0, "SIGKILL");
    };
    /** The same where its artifact is to be had nowhere. */
    const sourceless = (wanted: RevisionSpec): RevisionSpec => {
      if (artifact.kind === "directory")
        return { ...wanted, artifact: { ...artifact, file: join(folder, "nowhere.tar") } };
      const nowhere = `sha256:${"0".repeat(64)}` as Digest;
      return { ...wanted, artifact: { ...artifact, id: nowhere, digest: nowhere, repository: null, layout: null } };
    };
    const missingCode = () => (isImage ? "IMAGE_MISSING" : "ARTIFACT_MISSING");
    const isGone = ({ pid, address }: InstanceStatus): Promise<boolean> => {
      if (harness.virtual === undefined) return isImage ? isRefused(address) : Promise.resolve(!isAlive(pid));
      return harness.virtual.ask(address).then(
        () => false,
        () => true,
      );
    };
    /** Who answers at the address, as soon as somebody does. */
    const whoIs = async (address: string | null): Promise<{ readonly pid: number; readonly instance: string }> => {
      const { virtual } = harness;
      if (virtual !== undefined) return eventually(() => virtual.ask(address));
      const { pid, env } = await ask(address);
      return { pid, instance: env.SLIPWAY_INSTANCE ?? "" };
    };
    /** What only a program has. */
    const ofPrograms = (name: string, run: () => Promise<void>): void =>
      test(name, async ({ skip }) => (harness.virtual === undefined ? run() : skip()));

    test("starts the instances that are asked for, each with its own address, and says what they are", async () => {
      const wanted = spec(["serve"]);
      const status = await target.ensure(wanted, 2, never);
      expect(status).toMatchObject({
        id: wanted.id,
        product: "shop",
        environment: "production",
        service: "web",
        release: "rel_1",
        configDigest: wanted.configDigest,
        wanted: 2,
      });
      const running = runningOf(status);
      expect(running.map(({ id }) => id)).toEqual([instanceId(wanted.id, 0), instanceId(wanted.id, 1)]);
      expect(new Set(running.map(({ address }) => address)).size).toBe(2);
      expect(
        running.every(({ pid, startedAt, restarts }) => pid !== null && startedAt !== null && restarts === 0),
      ).toBe(true);
      for (const { id, address, pid } of running) {
        const seen = await whoIs(address);
        expect(seen.instance).toBe(id);
        if (!isImage) expect(seen.pid).toBe(pid);
      }
      expect(await target.observe({ revision: wanted.id })).toMatchObject([{ id: wanted.id, wanted: 2 }]);
      await target.remove(wanted.id, never);
    });

    test("does nothing when it is already so, scales up beside what runs, and down again, also to nothing", async () => {
      const wanted = spec(["serve"]);
      const [first] = runningOf(await target.ensure(wanted, 1, never));
      expect(runningOf(await target.ensure(wanted, 1, never))[0]).toMatchObject({ pid: first?.pid, restarts: 0 });
      const three = runningOf(await target.ensure(wanted, 3, never));
      expect(three).toHaveLength(3);
      expect(three[0]).toMatchObject({ pid: first?.pid, address: first?.address });
      const one = await target.ensure(wanted, 1, never);
      expect(runningOf(one).map(({ pid }) => pid)).toEqual([first?.pid]);
      for (const surplus of three.slice(1)) expect(await isGone(surplus)).toBe(true);
      const none = await target.ensure(wanted, 0, never);
      expect(none.wanted).toBe(0);
      expect(runningOf(none)).toEqual([]);
      expect(first !== undefined && (await isGone(first))).toBe(true);
      const again = runningOf(await target.ensure(wanted, 1, never));
      expect(again).toMatchObject([{ restarts: 0 }]);
      await whoIs(again[0]?.address ?? null);
      await target.remove(wanted.id, never);
    });

    ofPrograms(
      "none of what is not there is a preparation: what a start needs is brought, nothing runs, and it goes with the revision",
      async () => {
        const file = join(folder, "once.tar");
        if (artifact.kind === "directory") await copyFile(artifact.file, file);
        const wanted = spec(["serve"], { artifact: artifact.kind === "directory" ? { ...artifact, file } : artifact });
        for (const prepared of [await target.ensure(wanted, 0, never), await target.ensure(wanted, 0, never)]) {
          expect(prepared).toMatchObject({
            id: wanted.id,
            configDigest: wanted.configDigest,
            wanted: 0,
            instances: [],
          });
        }
        // One image, wherever the revision may run.
        const brought = new Set(await harness.leftovers?.());
        if (isImage) expect([...brought]).toEqual([expect.stringContaining("image slipway/shop/web:")]);
        await rm(file, { force: true });
        const [instance] = runningOf(await target.ensure(wanted, 1, never));
        await ask(instance?.address ?? null);
        await target.remove(wanted.id, never);
        // Neither a start nor another preparation finds anything of it again; and a control plane of its own lets go of what it did not bring.
        await expect(target.ensure(sourceless(wanted), 0, never)).rejects.toMatchObject({ code: missingCode() });
        await target.ensure({ ...wanted, artifact }, 0, never);
        const second = await harness.open("shop");
        await second.remove(wanted.id, never);
        await second.close();
        expect((await harness.leftovers?.()) ?? []).toEqual([]);
        await expect(target.ensure(sourceless(wanted), 1, never)).rejects.toMatchObject({ code: missingCode() });
      },
    );

    ofPrograms(
      "is given its environment and nothing of ours, exactly, with spaces, quotes and other alphabets",
      async () => {
        const odd = "a b\t'\"$HOME `x` ü 漢字 \\ \n end";
        process.env.SLIPWAY_TEST_LEAK = "must not be seen";
        const wanted = spec(["serve", odd, ""], { env: { ODD: odd, TOKEN: new Secret("s3cret"), NODE_ENV: "test" } });
        const [instance] = runningOf(await target.ensure(wanted, 1, never));
        const seen = await ask(instance?.address ?? null);
        delete process.env.SLIPWAY_TEST_LEAK;
        expect(seen.args).toEqual([odd, ""]);
        expect(seen.env).toMatchObject({
          ODD: odd,
          TOKEN: "s3cret",
          NODE_ENV: "test",
          PORT: isImage ? "3000" : instance?.address?.split(":")[1],
          SLIPWAY_PRODUCT: "shop",
          SLIPWAY_ENVIRONMENT: "production",
          SLIPWAY_SERVICE: "web",
          SLIPWAY_RELEASE: "rel_1",
          SLIPWAY_REVISION: wanted.id,
          SLIPWAY_INSTANCE: `${wanted.id}.0`,
        });
        expect(Object.keys(seen.env)).not.toContain("SLIPWAY_TEST_LEAK");
        await target.remove(wanted.id, never);
      },
    );

    test("is found again, unchanged, after the control plane that started it was killed", async () => {
      const wanted = spec(["serve"]);
      await harness.ensureAndDie("shop", wanted, 2);
      const second = await harness.open("shop");
      const [found] = await second.observe({ revision: wanted.id });
      const running = runningOf(found);
      expect(running).toHaveLength(2);
      expect(found?.configDigest).toBe(wanted.configDigest);
      const repeated = runningOf(await second.ensure(wanted, 2, never));
      expect(repeated.map(({ pid }) => pid)).toEqual(running.map(({ pid }) => pid));
      await second.remove(wanted.id, never);
      await second.close();
    });

    test("an instance that is killed is started again at the same address, and watchers hear of both", async () => {
      const wanted = spec(["serve"]);
      const [before] = runningOf(await target.ensure(wanted, 1, never));
      const { pid: pidInside } = await whoIs(before?.address ?? null);
      const stop = new AbortController();
      const seen = target.watch({ revision: wanted.id }, stop.signal);
      const updates = seen[Symbol.asyncIterator]();
      expect((await updates.next()).value?.[0]?.instances[0]?.state).toBe("running");
      if (before !== undefined) await kill(before, pidInside);
      const ended = await nextThat(updates, ([revision]) => revision?.instances[0]?.state === "backoff");
      expect(ended[0]?.instances[0]?.lastExit).toMatchObject({ code: null, signal: "SIGKILL" });
      const restarted = await nextThat(updates, ([revision]) => revision?.instances[0]?.state === "running");
      expect(restarted[0]?.instances[0]).toMatchObject({ restarts: 1, address: before?.address });
      const again = await whoIs(before?.address ?? null);
      expect(again.instance).toBe(before?.id);
      if (!isImage) expect(again.pid).toBe(restarted[0]?.instances[0]?.pid);
      stop.abort();
      expect((await updates.next()).done).toBe(true);
      await target.remove(wanted.id, never);
    });

    test("a program that ends again and again is a crash loop, with its exit and its last words", async () => {
      const wanted = spec(["crash"]);
      await target.ensure(wanted, 1, never);
      const updates = target.watch({ revision: wanted.id }, never)[Symbol.asyncIterator]();
      const looping = await nextThat(updates, ([each]) => each?.instances[0]?.state === "crash-looping");
      await updates.return?.(undefined);
      expect(looping[0]?.instances[0]?.lastExit).toMatchObject({ code: 7, signal: null });
      expect(looping[0]?.instances[0]?.restarts).toBeGreaterThanOrEqual(4);
      const last = await textsOf(target.logs({ revision: wanted.id, tail: 20 }, never), "stderr");
      expect(last).toContain("it broke");
      await target.remove(wanted.id, never);
    });

    ofPrograms("stops by SIGTERM inside the grace, and by SIGKILL after it", async () => {
      const polite = spec(["serve"], { stopGraceMs: 15_000 });
      await ask(runningOf(await target.ensure(polite, 1, never))[0]?.address ?? null);
      const began = performance.now();
      await target.ensure(polite, 0, never);
      expect(performance.now() - began).toBeLessThan(10_000);
      expect(await textsOf(target.logs({ revision: polite.id }, never), "stdout")).toContain("asked to stop");
      const stubborn = spec(["stubborn"], { stopGraceMs: 300 });
      const [instance] = runningOf(await target.ensure(stubborn, 1, never));
      await textOf(instance?.address ?? null);
      await target.ensure(stubborn, 0, never);
      expect(instance !== undefined && (await isGone(instance))).toBe(true);
      expect(await textsOf(target.logs({ revision: stubborn.id }, never), "stdout")).toContain("no");
      await target.remove(polite.id, never);
      await target.remove(stubborn.id, never);
    });

    ofPrograms("a stop that is called off has been asked for all the same: who starts it again gets a new life", () =>
      startsWhatItWasStopping(target, spec(["stubborn"], { stopGraceMs: 1_000 })),
    );

    ofPrograms("what a program forked goes with it: when it is stopped, and when it dies", async () => {
      const wanted = spec(["forks"], { stopGraceMs: 300 });
      const [instance] = runningOf(await target.ensure(wanted, 1, never));
      const first = await family(instance?.address ?? null);
      if (!isImage) expect(isAlive(first.child)).toBe(true);
      if (instance !== undefined) await kill(instance, first.pid);
      await eventually(async () => {
        const [revision] = await target.observe({ revision: wanted.id });
        return revision?.instances[0]?.restarts === 1;
      });
      // Ids begin anew in each container: there the kernel ends all of them with the first.
      if (!isImage) await eventually(() => !isAlive(first.child));
      const second = await family(instance?.address ?? null);
      await target.ensure(wanted, 0, never);
      if (!isImage) expect(isAlive(second.child)).toBe(false);
      expect(instance !== undefined && (await isGone(instance))).toBe(true);
      await target.remove(wanted.id, never);
    });

    ofPrograms(
      "logs say whose they are, give the newest lines, and follow without losing or repeating one",
      async () => {
        const wanted = spec(["print", "300"]);
        const [instance] = runningOf(await target.ensure(wanted, 1, never));
        await textOf(instance?.address ?? null);
        const stop = new AbortController();
        const lines: LogLine[] = [];
        let asked = 0;
        for await (const line of target.logs({ revision: wanted.id, tail: 10_000, follow: true }, stop.signal)) {
          if (line.stream === "stdout") lines.push(line);
          if (line.text.startsWith("listening")) await textOf(instance?.address ?? null);
          if (line.text === "asked" && ++asked === 2) stop.abort();
        }
        const printed = lines.map((line) => line.text).filter((each) => each.startsWith("line "));
        expect(printed).toEqual(Array.from({ length: 300 }, (_, i) => `line ${i}`));
        expect(lines[0]).toMatchObject({
          service: "web",
          release: "rel_1",
          revision: wanted.id,
          instance: `${wanted.id}.0`,
        });
        const tail = await textsOf(target.logs({ revision: wanted.id, tail: 2 }, never), null);
        expect(tail).toEqual(["asked", "asked"]);
        await target.remove(wanted.id, never);
        expect(await textsOf(target.logs({ revision: wanted.id, tail: 500 }, never), "stdout")).toContain("line 299");
      },
    );

    test("runs a command beside an instance: exit code, both outputs, and a refusal", async ({ skip }) => {
      if (target.session === undefined) return skip();
      await runsCommandsBeside(target as Target & Sessions, spec(["serve"]));
    });

    test("is talked to on a terminal, beside an instance and in a fresh one, which is gone then", async ({ skip }) => {
      if (target.session === undefined) return skip();
      await talksOnATerminal(target as Target & Sessions, spec(["serve"]));
    });

    test("a job runs once and its exit code is kept, also a bad one; it runs again only after zero", async () => {
      for (const code of [0, 3]) {
        const job = spec(["job", String(code)], { mode: "job", listens: false });
        await target.ensure(job, 1, never);
        const done = await eventually(async () => {
          const [revision] = await target.observe({ revision: job.id });
          return revision?.instances[0]?.state === "exited" && revision.instances[0];
        });
        expect(done).toMatchObject({ lastExit: { code, signal: null }, address: null, pid: null });
        await target.ensure(job, 1, never);
        const printed = () => textsOf(target.logs({ revision: job.id }, never), "stdout");
        expect(await printed()).toEqual(["working"]);
        await target.ensure(job, 0, never);
        await target.ensure(job, 1, never);
        await eventually(async () => (await printed()).length === 2);
        await target.remove(job.id, never);
      }
    });

    test("a removed revision is gone, removing it again does nothing, and absent ones are nothing", async () => {
      const wanted = spec(["serve"]);
      const [instance] = runningOf(await target.ensure(wanted, 1, never));
      await target.remove(wanted.id, never);
      // Its address may have gone with its network: then nobody of ours would be asked.
      const remains =
        harness.virtual === undefined ? isAlive(instance?.pid) : !(await isGone(instance as InstanceStatus));
      expect(instance === undefined || remains).toBe(false);
      expect(await target.observe({ revision: wanted.id })).toEqual([]);
      await target.remove(wanted.id, never);
      const absent = revisionId("rev_never_made");
      await target.remove(absent, never);
      expect(await textsOf(target.logs({ revision: absent, tail: 10 }, never), null)).toEqual([]);
    });

    test("a missing artifact and one that was changed are refused, and nothing is left of the attempt", async () => {
      if (artifact.kind === "image") {
        const wanted = sourceless(spec(["serve"]));
        await expect(target.ensure(wanted, 1, never)).rejects.toMatchObject({ code: "IMAGE_MISSING" });
        expect(await target.observe({ revision: wanted.id })).toEqual([]);
        expect(runningOf(await target.ensure({ ...wanted, artifact }, 1, never))).toHaveLength(1);
        await target.remove(wanted.id, never);
        return;
      }
      if (harness.virtual !== undefined) {
        const absent = spec(["serve"], { artifact: { ...artifact, digest: `sha256:${"0".repeat(64)}` } });
        for (const instances of [0, 1])
          await expect(target.ensure(absent, instances, never)).rejects.toMatchObject({ code: "ARTIFACT_MISSING" });
        expect(await target.observe({ revision: absent.id })).toEqual([]);
        return;
      }
      const missing = sourceless(spec(["serve"]));
      await expect(target.ensure(missing, 1, never)).rejects.toMatchObject({ code: "ARTIFACT_MISSING" });
      const changed = spec(["serve"], { artifact: { ...artifact, digest: `sha256:${"0".repeat(64)}` } });
      await expect(target.ensure(changed, 1, never)).rejects.toMatchObject({ code: "ARTIFACT_CORRUPT" });
      for (const { id } of [missing, changed]) expect(await target.observe({ revision: id })).toEqual([]);
      const repaired = { ...changed, artifact };
      expect(runningOf(await target.ensure(repaired, 1, never))).toHaveLength(1);
      await target.remove(repaired.id, never);
    });

    ofPrograms("a command that is not there fails the start, with what was tried", async () => {
      // An init of its own would start, and then not find it.
      const wanted = {
        ...spec([]),
        command: ["there-is-no-such-program", "--flag"],
        ...(isImage && { container: { ...container, init: false } }),
      };
      const failure = await target.ensure(wanted, 1, never).catch((error: unknown) => error);
      expect(failure).toMatchObject({
        code: "START_FAILED",
        message: expect.stringContaining("there-is-no-such-program"),
        evidence: expect.arrayContaining([["command", '["there-is-no-such-program","--flag"]']]),
      });
      await target.remove(wanted.id, never);
      expect(await target.observe({ revision: wanted.id })).toEqual([]);
    });

    test("restarts one instance in its place, once for each life, and no other", async ({ skip }) => {
      if (target.restart === undefined) return skip();
      await restartsOne(target as Target & Restarts, spec(["serve"]), { whoIs, pidsAreOurs: !isImage });
    });

    test("stops what nobody has the spec of any more, and keeps it", async ({ skip }) => {
      if (target.stop === undefined) return skip();
      await stopsWithoutSpec(target as Target & Stopping, spec(["serve"]));
    });

    test("selects by environment and service, and never sees or touches another product's revisions", async () => {
      const other = await harness.open("bakery");
      const theirs = spec(["serve"], { product: "bakery" });
      const ours = spec(["serve"], { environment: environmentName("staging"), service: serviceName("api") });
      const [their] = runningOf(await other.ensure(theirs, 1, never));
      await target.ensure(ours, 1, never);
      expect((await target.observe({})).map(({ id }) => id)).toEqual([ours.id]);
      expect((await target.observe({ environment: ours.environment })).map(({ id }) => id)).toEqual([ours.id]);
      expect(await target.observe({ service: theirs.service })).toEqual([]);
      await target.remove(theirs.id, never);
      if (target.session !== undefined) {
        const beside = runBeside(target as Sessions, instanceId(theirs.id, 0), ["true"]);
        await expect(beside).rejects.toMatchObject({ code: "INSTANCE_NOT_FOUND" });
      }
      expect(await textsOf(target.logs({ revision: theirs.id }, never), null)).toEqual([]);
      expect(runningOf((await other.observe({}))[0])).toMatchObject([{ pid: their?.pid, restarts: 0 }]);
      await other.remove(theirs.id, never);
      await target.remove(ours.id, never);
      await other.close();
    });

    ofPrograms("samples CPU and memory of a running instance", async () => {
      const wanted = spec(["serve"]);
      await target.ensure(wanted, 1, never);
      const sampled = await eventually(async () => {
        const [revision] = await target.observe({ revision: wanted.id });
        const instance = revision?.instances[0];
        // The first look may be at a program that has hardly begun.
        return instance?.cpu !== null && (instance?.memoryBytes ?? 0) > 3_000_000 && instance;
      });
      expect(sampled?.cpu).toBeLessThan(4);
      await target.remove(wanted.id, never);
    });

    test("a memory limit, where the target has one, ends an instance that passes it", async () => {
      if (!target.can.memoryLimit) return;
      const hog = spec([], { memoryBytes: 150_000_000, listens: false });
      const script = "const kept = []; setInterval(() => kept.push(Buffer.alloc(20e6, 1)), 50)";
      await target.ensure({ ...hog, command: [isImage ? "node" : process.execPath, "-e", script] }, 1, never);
      await eventually(async () => {
        const [revision] = await target.observe({ revision: hog.id });
        return (revision?.instances[0]?.restarts ?? 0) > 0;
      });
      await target.remove(hog.id, never);
    });

    test("nothing is left of what was removed", async () => {
      expect(await target.observe({})).toEqual([]);
      expect((await harness.leftovers?.()) ?? []).toEqual([]);
    });
  });
}
