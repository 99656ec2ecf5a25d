import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { SlipwayError } from "../../../core/errors/error.ts";
import {
  type Digest,
  environmentName,
  type InstanceId,
  instanceId,
  releaseId,
  revisionId,
  serviceName,
} from "../../../core/ids.ts";
import { Secret } from "../../../core/secret.ts";
import { RegistryClient } from "../../../lib/oci/registry-client.ts";
import { openSsh } from "../../../lib/ssh/open-ssh.ts";
import type {
  ContainerSpec,
  ImageArtifact,
  InstanceStatus,
  LogLine,
  RevisionSpec,
  RevisionStatus,
  Target,
} from "../../../ports/target.ts";
import { runBeside } from "../../../testing/conformance/target/commands.ts";
import { engineRequest } from "../../../testing/hosts/engine-request.ts";
import type { TestHost } from "../../../testing/hosts/hosts.ts";
import { startRegistry, type TestRegistry } from "../../../testing/hosts/registry.ts";
import { type SampleOptions, sampleImage } from "../../../testing/hosts/sample-image.ts";
import { type DockerTargetOptions, dockerTarget } from "./index.ts";
import { containerName } from "./labels.ts";
import { leftovers, sshPlace } from "./places.fixture.ts";

const never = new AbortController().signal;
const patienceMs = 90_000;

let place: Awaited<ReturnType<typeof sshPlace>>;
let machines: readonly TestHost[];
let healthy: ImageArtifact;
let directory: string;

beforeAll(async () => {
  place = await sshPlace(3);
  machines = place.machines.hosts;
  healthy = await imageFor({ version: "v1" });
});

afterAll(async () => {
  await place?.close();
});

const container: ContainerSpec = {
  volumes: [],
  hostPorts: [],
  port: null,
  readOnlyRoot: false,
  dropCapabilities: [],
  addCapabilities: [],
  user: null,
  init: true,
  logs: { maxBytes: 1_000_000, keep: 2 },
  rootUser: "allow",
};

async function imageFor(options: SampleOptions, on: readonly TestHost[] = machines): Promise<ImageArtifact> {
  const loaded = await Promise.all(on.map((machine) => sampleImage(machine, options)));
  const id = loaded[0]?.id as Digest;
  return { kind: "image", id, digest: id, repository: null, layout: null };
}

function spec(more: Partial<RevisionSpec> = {}, part: Partial<ContainerSpec> = {}): RevisionSpec {
  return {
    id: revisionId(`rev_${randomBytes(4).toString("hex")}`),
    product: "shop",
    environment: environmentName("production"),
    service: serviceName("web"),
    release: releaseId("rel_1"),
    configDigest: `sha256:${"c".repeat(64)}`,
    mode: "service",
    artifact: healthy,
    container: { ...container, ...part },
    command: [],
    env: {},
    listens: true,
    stopGraceMs: 1_000,
    memoryBytes: null,
    cpus: null,
    ...more,
  };
}

/** A control plane of its own for the work, closed after it; nothing may be left then, on no host. */
async function during(
  work: (target: ReturnType<typeof dockerTarget>) => Promise<void>,
  more: Partial<DockerTargetOptions> = {},
): Promise<void> {
  directory = await mkdtemp(join(tmpdir(), "slipway-docker-"));
  const target = dockerTarget(place.options("shop", { directory, ...more }));
  try {
    await work(target);
    expect(await leftovers(place.engines)).toEqual([]);
  } finally {
    await target.close();
    await rm(directory, { recursive: true, force: true });
    // What a failed test left must not fail the next.
    for (const each of machines) {
      await each.mend();
      await each.run(["sh", "-c", wipe]);
    }
  }
}

const wipe = `
  docker ps -aq | xargs -r docker rm -fv >/dev/null
  docker network prune -f >/dev/null
  docker volume ls -q | xargs -r docker volume rm >/dev/null
  docker images -q --filter reference='slipway/*/*' --format '{{.Repository}}:{{.Tag}}' | xargs -r docker rmi >/dev/null`;

const running = (status: RevisionStatus | undefined): readonly InstanceStatus[] =>
  (status?.instances ?? []).filter(({ state }) => state === "running");
const hostsOf = (status: RevisionStatus | undefined) => running(status).map(({ host }) => host);
const observed = async (target: Target, { id }: RevisionSpec) => (await target.observe({ revision: id }))[0];
const machine = (name: string | null): TestHost => {
  const found = machines.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no machine ${name}`);
  return found;
};

async function inspected(host: string, instance: string): Promise<{ readonly State: { readonly StartedAt: string } }> {
  return JSON.parse(
    await engineRequest(machine(host), "GET", `/containers/${containerName(instance as InstanceId)}/json`),
  );
}

async function answer(address: string | null | undefined): Promise<string> {
  return eventually(async () =>
    (await (await fetch(`http://${address}/`, { headers: { connection: "close" } })).text()).trim(),
  );
}

async function eventually<T>(look: () => Promise<T>): Promise<Exclude<T, false | null | undefined>> {
  const until = performance.now() + patienceMs;
  for (;;) {
    const [seen, error] = await look().then(
      (value) => [value, null] as const,
      (thrown: unknown) => [null, thrown] as const,
    );
    if (seen) return seen as Exclude<T, false | null | undefined>;
    if (performance.now() > until) throw error ?? new Error("what was waited for did not come");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe("over several hosts:", () => {
  test("instances are spread evenly, found by their published address and through the tunnel", () =>
    during(async (target) => {
      const web = spec();
      const status = await target.ensure(web, 6, never);
      expect(hostsOf(status).sort()).toEqual(["h1", "h1", "h2", "h2", "h3", "h3"]);
      for (const { id, address } of running(status)) {
        expect(await answer(address)).toBe("v1");
        expect(await answer(await target.reach(id, never))).toBe("v1");
      }
      await target.ensure(web, 3, never);
      // It was reached a moment ago, and is remembered as one that ran until the engine tells of its end.
      const gone = target.reach(instanceId(web.id, 5), never);
      await expect(gone).rejects.toMatchObject({ code: "INSTANCE_NOT_FOUND" });
      const again = await target.ensure(web, 4, never);
      expect(running(again).map(({ address }) => address)).toEqual(
        running(status)
          .slice(0, 4)
          .map(({ address }) => address),
      );
      await target.remove(web.id, never);
    }));

  test("several revisions that are the first of their environment share its network", () =>
    during(async (target) => {
      const all = ["a", "b", "c", "d", "e", "f"].map((name) => spec({ service: serviceName(name) }));
      await Promise.all(all.map((each) => target.ensure(each, 3, never)));
      for (const each of machines) {
        const networks = JSON.parse(await engineRequest(each, "GET", "/networks")) as { Name: string }[];
        expect(networks.filter(({ Name }) => Name === "shop-production")).toHaveLength(1);
      }
      await Promise.all(all.map(({ id }) => target.remove(id, never)));
    }));

  test("what fails at one host is undone at all of them, and the failure names that host", () =>
    during(async (target) => {
      const lacking = await imageFor({ version: "only-two" }, machines.slice(0, 2));
      const web = spec({ artifact: lacking });
      const failure = await target.ensure(web, 3, never).catch((error: unknown) => error);
      expect(failure).toMatchObject({ code: "IMAGE_MISSING", message: expect.stringContaining("host h3") });
      expect(await target.observe({})).toEqual([]);
      const bad = spec({ command: ["no-such-program"] }, { init: false });
      await expect(target.ensure(bad, 3, never)).rejects.toMatchObject({ code: "START_FAILED" });
    }));

  test("an undo of a scale-up leaves what ran before", () =>
    during(async (target) => {
      const lacking = await imageFor({ version: "only-one" }, machines.slice(0, 1));
      const web = spec({ artifact: lacking, service: serviceName("web") });
      const alone = dockerTarget(
        place.options("shop", { hosts: place.hosts.slice(0, 1), directory: join(directory, "x") }),
      );
      const before = running(await alone.ensure(web, 1, never));
      await alone.close();
      await expect(target.ensure(web, 3, never)).rejects.toMatchObject({ code: "IMAGE_MISSING" });
      expect(running(await observed(target, web))).toMatchObject([{ id: before[0]?.id, pid: before[0]?.pid }]);
      await target.remove(web.id, never);
    }));

  test("a shipper brings what no registry has, once a host, also for several services of one image", () => {
    const shipped: string[] = [];
    return during(
      async (target) => {
        const wanted = await imageFor({ version: "shipped" }, machines.slice(0, 1));
        const web = spec({ artifact: { ...wanted, layout: "/layout" } });
        const mail = spec({ artifact: web.artifact, service: serviceName("mail") });
        // In advance, wherever it may run.
        await Promise.all([target.ensure(web, 0, never), target.ensure(mail, 0, never)]);
        expect(shipped.sort()).toEqual(["h2", "h3"]);
        expect(hostsOf(await target.ensure(web, 6, never)).length).toBe(6);
        expect(shipped.sort()).toEqual(["h2", "h3"]);
        await Promise.all([target.remove(web.id, never), target.remove(mail.id, never)]);
      },
      {
        shipper: async (_image, engine) => {
          const at = machines.find(({ url }) => url === engine.url);
          if (at === undefined) throw new Error("unknown engine");
          shipped.push(at.name);
          await sampleImage(at, { version: "shipped" });
        },
      },
    );
  });

  test("a container that floods its log keeps as many files as it may, none larger than it may be", () =>
    during(async (target) => {
      const { maxBytes, keep } = container.logs;
      const flood = `yes ${"x".repeat(99)} | head -c ${4 * keep * maxBytes}; echo; echo flooded; exec sleep 1d`;
      const web = spec({ command: ["sh", "-c", flood], listens: false });
      const [instance] = running(await target.ensure(web, 1, never));
      const host = machine(instance?.host ?? null);
      const name = `${web.id}.0`;
      await expect
        .poll(() => host.run(["docker", "logs", "--tail", "1", name]), { timeout: patienceMs })
        .toBe("flooded\n");
      const [log = ""] = (await host.run(["docker", "inspect", "-f", "{{.LogPath}}", name])).trim().split("\n");
      const files = (await host.run(["sh", "-c", `stat -c %s ${log} ${log}.*`])).trim().split("\n").map(Number);
      expect(files.length).toBe(keep);
      // The engine looks at the size before it writes a line.
      for (const size of files) expect(size).toBeLessThanOrEqual(maxBytes + 1_000);
      await target.remove(web.id, never);
    }));

  test("logs of all hosts come in order of time, also while they are followed", () =>
    during(
      async (target) => {
        const script =
          "for (let i = 0; i < 40; i++) setTimeout(() => console.log('tick ' + i), i * 10); setInterval(() => {}, 1000)";
        const web = spec({ command: ["node", "-e", script], listens: false });
        const stop = new AbortController();
        const followed: LogLine[] = [];
        const following = (async () => {
          for await (const line of target.logs({ revision: web.id, follow: true }, stop.signal)) {
            followed.push(line);
            if (followed.filter(({ text }) => text === "tick 39").length === 3) stop.abort();
          }
        })();
        await target.ensure(web, 3, never);
        await following;
        const whole: LogLine[] = [];
        for await (const line of target.logs({ revision: web.id }, never)) whole.push(line);
        for (const lines of [followed, whole]) {
          expect(lines).toHaveLength(120);
          expect(lines.map(({ at }) => at)).toEqual(lines.map(({ at }) => at).sort((one, other) => one - other));
          expect(new Set(lines.map(({ instance }) => instance)).size).toBe(3);
        }
        await target.remove(web.id, never);
      },
      // Longer than a busy machine holds up what it has been told.
      { settleMs: 5_000 },
    ));
});

describe("a host that is cut off", () => {
  test("is noticed by what waits for it, long before ssh itself would give it up", async () => {
    const { sshConfig } = machine("h2");
    const controlDirectory = await mkdtemp(join(tmpdir(), "slipway-ctl-"));
    const patient = openSsh({
      destination: "root@h2",
      configFile: sshConfig,
      controlDirectory,
      options: ["ServerAliveInterval=0"],
    });
    await patient.connect(never);
    const waiting = patient.run(["sleep", "1000"], { signal: never }).catch((error: unknown) => error);
    await machine("h2").cut();
    expect(await waiting).toMatchObject({ code: "AWAY" });
    const next = await patient.run(["true"], { signal: never }).catch((error: unknown) => error);
    expect(next).toMatchObject({ code: "AWAY", message: expect.stringContaining("root@h2") });
    await machine("h2").mend();
    await eventually(async () => (await patient.run(["true"], { signal: never })).code === 0);
    await patient.close();
    await rm(controlDirectory, { recursive: true });
  }, 240_000);

  test(
    "stop: is named, and nothing is left on the others; it is wait's to go on when the host is back",
    () =>
      during(async (target) => {
        const kept = spec({ service: serviceName("kept") });
        const there = running(await target.ensure(kept, 3, never));
        await target.observe({});
        await machine("h2").cut();
        const web = spec();
        const failure = await target.ensure(web, 3, never).catch((error: unknown) => error);
        expect(failure).toMatchObject({ code: "HOST_AWAY", message: expect.stringContaining("host h2") });
        // A person who asks how the hosts are is told of all.
        for (const { name, aheadMs, freeBytes, trouble } of await target.conditions(never)) {
          if (name === "h2") expect(trouble).toContain("host h2");
          else expect([trouble, aheadMs, (freeBytes ?? 0) > 0]).toEqual([null, 0, true]);
        }
        // Looking goes on: the others as they are now, and what is on it as it was seen last, which is known not to be now.
        const lastSeen = (status: RevisionStatus | undefined) =>
          (status?.instances ?? []).filter((each) => each.lastSeen !== undefined).map(({ host }) => host);
        expect(lastSeen(await observed(target, kept))).toEqual(["h2"]);
        expect(hostsOf(await observed(target, kept)).sort()).toEqual(["h1", "h2", "h3"]);
        // Who has never seen it takes it for not there in no decision, and shows the others all the same.
        const late = dockerTarget(place.options("shop", { directory: join(directory, "l") }));
        await expect(late.observe({})).rejects.toMatchObject({ code: "HOST_AWAY" });
        const [shown] = await late.present({ revision: kept.id });
        expect([hostsOf(shown).sort(), lastSeen(shown)]).toEqual([["h1", "h3"], []]);
        const words = async (from: Target) => {
          const said: string[] = [];
          for await (const { stream, text } of from.logs({ revision: kept.id }, never)) said.push(`${stream} ${text}`);
          return said;
        };
        expect((await words(target)).filter((each) => each.startsWith("slipway"))).toEqual([
          "slipway host h2 does not answer: what was written there is missing here",
        ]);
        expect((await words(late)).length).toBeGreaterThan(0);
        expect(late.hosts().flatMap(({ name, awayForMs }) => (awayForMs === null ? [] : [name]))).toEqual(["h2"]);
        await late.close();
        // What is on the others is in nobody's way.
        const near = there.find(({ host }) => host === "h1");
        const life = async () => (await inspected("h1", near?.id ?? "")).State.StartedAt;
        const begun = await life();
        await target.restart(near?.id as InstanceId, near?.startedAt ?? 0, never);
        expect(await life()).not.toBe(begun);
        await expect(target.restart(instanceId(kept.id, 7), 0, never)).rejects.toMatchObject({ code: "HOST_AWAY" });
        const waiting = dockerTarget(place.options("shop", { directory: join(directory, "w"), whenAway: "wait" }));
        // Nobody who looks waits with it.
        expect(hostsOf((await waiting.present({ revision: kept.id }))[0]).sort()).toEqual(["h1", "h3"]);
        // Not for ever.
        const hasty = dockerTarget(
          place.options("shop", { directory: join(directory, "q"), whenAway: "wait", waitAtMostMs: 1_000 }),
        );
        expect(await hasty.ensure(web, 3, never).catch((error: unknown) => error)).toMatchObject({
          code: "HOST_STAYED_AWAY",
          retryable: false,
          message: expect.stringMatching(/^host h2 did not come back within \d+s$/),
          evidence: expect.arrayContaining([["the last time", expect.stringContaining("host h2: ")]]),
        });
        await hasty.close();
        const done = waiting.ensure(web, 3, never);
        await machine("h2").mend();
        expect(hostsOf(await done).sort()).toEqual(["h1", "h2", "h3"]);
        await waiting.remove(web.id, never);
        await waiting.remove(kept.id, never);
        await waiting.close();
      }),
    240_000,
  );

  test(
    "skip: the others carry on, and what it owes is settled when it is back",
    () =>
      during(
        async (target) => {
          const web = spec();
          expect(hostsOf(await target.ensure(web, 3, never)).length).toBe(3);
          await machine("h3").cut();
          expect(hostsOf(await eventually(() => observed(target, web))).sort()).toEqual(["h1", "h2"]);
          // Its instance runs elsewhere by then: it is back with one too many, and nothing of that stays.
          expect(hostsOf(await target.ensure(web, 3, never)).length).toBe(3);
          await machine("h3").mend();
          await eventually(async () => (await observed(target, web))?.wanted === 4);
          expect(hostsOf(await target.ensure(web, 3, never))).not.toContain("h3");
          expect(await leftovers([machine("h3")])).toEqual([]);
          await target.ensure(web, 5, never);
          await machine("h3").cut();
          await eventually(async () => hostsOf(await observed(target, web)).every((host) => host !== "h3"));
          await target.remove(web.id, never);
          await machine("h3").mend();
          await eventually(async () => {
            await target.observe({});
            return (await leftovers(place.engines)).length === 0;
          });
        },
        { whenAway: "skip" },
      ),
    240_000,
  );

  test(
    "a connection that drops in the middle of a call fails it or not, and the next call finishes the work",
    () =>
      during(async (target) => {
        const web = spec();
        const began = target.ensure(web, 6, never).catch((error: unknown) => error);
        await eventually(async () => (await leftovers(place.engines)).some((each) => each.startsWith("container")));
        await machine("h1").run(["sh", "-c", "for p in $(pidof sshd); do [ $p = 1 ] || kill -9 $p; done; exit 0"]);
        const first = await began;
        if (first instanceof Error)
          expect(first).toMatchObject({ code: expect.stringMatching(/HOST_AWAY|START_FAILED/) });
        await restartSshd(machine("h1"));
        const status = await eventually(() => target.ensure(web, 6, never));
        expect(hostsOf(status).sort()).toEqual(["h1", "h1", "h2", "h2", "h3", "h3"]);
        await target.remove(web.id, never);
      }),
    240_000,
  );
});

async function restartSshd(host: TestHost): Promise<void> {
  await host.run(["sh", "-c", "pidof sshd >/dev/null || /usr/sbin/sshd -f /etc/ssh/sshd_config"]);
}

describe("an engine that restarts", () => {
  test(
    "brings its instances back by itself, at the same address, and watchers hear of it",
    () =>
      during(async (target) => {
        const web = spec();
        const before = running(await target.ensure(web, 3, never));
        for (const { address } of before) expect(await answer(address)).toBe("v1");
        for (const how of ["stop", "kill"] as const) {
          await machine("h1").restartEngine(how);
          const after = await eventually(async () => {
            const status = await observed(target, web);
            return running(status).length === 3 && status;
          });
          expect(running(after).map(({ address }) => address)).toEqual(before.map(({ address }) => address));
          for (const { address } of before) expect(await answer(address)).toBe("v1");
        }
        await target.remove(web.id, never);
      }),
    240_000,
  );
});

describe("what others have", () => {
  test("is never seen nor touched: containers, a network and a volume without our labels", () =>
    during(async (target) => {
      const host = machine("h1");
      await host.run(["docker", "network", "create", "theirs"]);
      await host.run([
        "docker",
        "run",
        "-d",
        "--name",
        "foreign",
        "--network",
        "theirs",
        "-v",
        "their-data:/data",
        "slipway-test/web:v1",
      ]);
      const web = spec();
      await target.ensure(web, 3, never);
      await target.remove(web.id, never);
      expect(
        (await host.run(["docker", "inspect", "-f", "{{.State.Running}} {{.RestartCount}}", "foreign"])).trim(),
      ).toBe("true 0");
      const taken = spec({ id: revisionId("rev_taken") });
      for (const each of machines) await each.run(["docker", "create", "--name", "rev_taken.0", "slipway-test/web:v1"]);
      const refused = await target.ensure(taken, 1, never).catch((error: unknown) => error);
      expect(refused).toMatchObject({
        code: "START_FAILED",
        message: expect.stringContaining("rev_taken.0 is there and is not ours"),
      });
      await target.remove(taken.id, never);
      for (const each of machines) await each.run(["docker", "rm", "rev_taken.0"]);
      await host.run(["docker", "rm", "-f", "foreign"]);
      await host.run(["docker", "network", "rm", "theirs"]);
      await host.run(["docker", "volume", "rm", "their-data"]);
    }));

  test(
    "a port of the host that another program has is told, with the port, and one of ours is chosen anew",
    () =>
      during(async (target) => {
        const host = machine("h1");
        for (const each of machines)
          await each.run(["docker", "run", "-d", "--name", "squatter", "-p", "8099:3000", "slipway-test/web:v1"]);
        const web = spec({}, { hostPorts: [{ host: null, hostPort: 8099, port: 3000 }] });
        const failure = await target.ensure(web, 1, never).catch((error: unknown) => error);
        expect(failure).toMatchObject({ code: "PORT_TAKEN", message: expect.stringContaining("port 8099") });
        for (const each of machines) await each.run(["docker", "rm", "-f", "squatter"]);
        expect(running(await target.ensure(web, 3, never))).toHaveLength(3);
        expect(await answer(`${host.address}:8099`)).toBe("v1");
        await expect(target.ensure(web, 4, never)).rejects.toMatchObject({ code: "PORT_TAKEN" });
        await target.remove(web.id, never);

        const own = spec();
        const [instance] = running(await target.ensure(own, 1, never));
        await target.ensure(own, 0, never);
        const [address = "", port = ""] = (instance?.address ?? "").split(":");
        await machine(instance?.host ?? null).run([
          "docker",
          "run",
          "-d",
          "--name",
          "squatter",
          "-p",
          `${address}:${port}:3000`,
          "slipway-test/web:v1",
        ]);
        const [moved] = running(await target.ensure(own, 1, never));
        expect(moved?.address).not.toBe(instance?.address);
        expect(await answer(moved?.address)).toBe("v1");
        await machine(instance?.host ?? null).run(["docker", "rm", "-f", "squatter"]);
        await target.remove(own.id, never);
      }),
    240_000,
  );
});

describe("a container that a crash left half made", () => {
  test("is adopted: created and not started, started and not yet told to stay, and with its network gone", () =>
    during(async (target) => {
      const web = spec();
      const [instance] = running(await target.ensure(web, 1, never));
      const host = machine(instance?.host ?? null);
      await target.ensure(web, 0, never);
      const labels = JSON.parse(
        await host.run(["docker", "inspect", "-f", "{{json .Config.Labels}}", `${web.id}.0`]),
      ) as Record<string, string>;
      await host.run(["docker", "rm", `${web.id}.0`]);
      const flags = Object.entries(labels).flatMap(([name, value]) => ["--label", `${name}=${value}`]);
      await host.run([
        "docker",
        "create",
        "--name",
        `${web.id}.0`,
        "--network",
        "shop-production",
        "--restart",
        "unless-stopped",
        ...flags,
        "slipway-test/web:v1",
      ]);
      const adopted = await target.ensure(web, 1, never);
      expect(running(adopted)).toMatchObject([{ id: instanceId(web.id, 0), host: host.name }]);
      await target.ensure(web, 0, never);
      // As a crash leaves it between its start and the word to its engine that it is wanted.
      await host.run(["docker", "start", `${web.id}.0`]);
      expect(running(await target.ensure(web, 1, never)).length).toBe(1);
      const policy = ["docker", "inspect", "-f", "{{.HostConfig.RestartPolicy.Name}}", `${web.id}.0`];
      expect((await host.run(policy)).trim()).toBe("always");
      await target.ensure(web, 0, never);
      await host.run(["docker", "network", "rm", "shop-production"]);
      expect(await answer(running(await target.ensure(web, 1, never))[0]?.address)).toBe("v1");
      await target.remove(web.id, never);
    }));
});

describe("what an image may not do:", () => {
  test("another platform is refused before anything starts", () =>
    during(async (target) => {
      const other = await imageFor({ version: "other", architecture: "s390x" });
      const failure = await target.ensure(spec({ artifact: other }), 1, never).catch((error: unknown) => error);
      expect(failure).toMatchObject({
        code: "IMAGE_WRONG_PLATFORM",
        message: expect.stringMatching(/for linux\/s390x, and host \S+ is linux\//),
      });
      expect(await target.observe({})).toEqual([]);
    }));

  test("root is refused where the policy says so, unless the service has a user of its own", () => {
    const warned: string[] = [];
    return during(
      async (target) => {
        const root = await imageFor({ version: "root", user: null });
        await expect(target.ensure(spec({ artifact: root }, { rootUser: "refuse" }), 1, never)).rejects.toMatchObject({
          code: "ROOT_REFUSED",
        });
        const loud = spec({ artifact: root }, { rootUser: "warn" });
        await target.ensure(loud, 1, never);
        expect(warned).toEqual(["container.root"]);
        await target.remove(loud.id, never);
        const user = spec(
          { artifact: root },
          { rootUser: "refuse", user: "1000:1000", readOnlyRoot: true, dropCapabilities: ["ALL"] },
        );
        const [instance] = running(await target.ensure(user, 1, never));
        const done = await runBeside(target, instance?.id ?? instanceId(user.id, 0), [
          "sh",
          "-c",
          "id -u; touch /app/x; grep -c ' /tmp tmpfs rw' /proc/mounts; grep CapEff /proc/self/status",
        ]);
        expect(done.stdout).toMatch(/^1000\n1\nCapEff:\t0+\n$/);
        await target.remove(user.id, never);
      },
      { log: { info: () => {}, warn: (event) => void warned.push(event), error: () => {} } },
    );
  });

  test("more memory than its limit: the status says that memory ended it", () =>
    during(async (target) => {
      const greedy = spec({
        artifact: await imageFor({ version: "oom", behaviour: { is: "oom", afterMs: 200 } }),
        memoryBytes: 80_000_000,
      });
      await target.ensure(greedy, 1, never);
      const exit = await eventually(async () => (await observed(target, greedy))?.instances[0]?.lastExit);
      expect(exit).toMatchObject({ signal: "SIGKILL", oom: true });
      await target.remove(greedy.id, never);
    }));

  test(
    "its own HEALTHCHECK is heard",
    () =>
      during(async (target) => {
        const seen: (string | undefined)[] = [];
        for (const behaviour of [{ is: "healthy" }, { is: "never-healthy" }] as const) {
          const artifact = await imageFor({ version: `check-${behaviour.is}`, behaviour, healthcheck: true });
          const web = spec({ artifact }, { port: 3000 });
          await target.ensure(web, 1, never);
          const health = await eventually(async () => {
            const now = (await observed(target, web))?.instances[0]?.health;
            return now !== "starting" && now;
          });
          seen.push(health);
          await target.remove(web.id, never);
        }
        expect(seen).toEqual(["healthy", "unhealthy"]);
      }),
    240_000,
  );
});

describe("a registry from which a host pulls", () => {
  const path = "shop/web";
  let registry: TestRegistry;
  let artifact: ImageArtifact;
  /** With which passwords somebody was refused. */
  let refusals: (string | null)[];
  let password: string;

  beforeAll(async () => {
    registry = await startRegistry({ auth: "basic", host: place.machines.gateway });
    const repository = `${registry.host}/${path}`;
    const [first] = machines;
    if (first === undefined) throw new Error("there are no machines");
    const loaded = await sampleImage(first, { version: "pulled", repository });
    await registry.take(first, loaded);
    const client = new RegistryClient({
      url: registry.url,
      credentials: async () => ({ username: registry.user, password: registry.password }),
    });
    const digest = await client.resolve(path, "pulled", never);
    await client.close();
    if (digest === null) throw new Error("the registry does not have it");
    artifact = { kind: "image", id: loaded.id as Digest, digest, repository, layout: null };
  });

  beforeEach(() => {
    refusals = [];
    password = registry.password;
  });

  afterEach(() => registry.slow(0));
  afterAll(() => registry?.down());

  const pulling = (more: Partial<DockerTargetOptions> = {}): Partial<DockerTargetOptions> => ({
    registryLogin: async (repository, refused) => {
      expect(repository).toBe(artifact.repository);
      refusals.push(refused?.reveal() ?? null);
      return { username: registry.user, password: new Secret(refused === null ? password : registry.password) };
    },
    ...more,
  });
  /** How it ends on a host that does not have it; nothing may be left then. */
  const failure = (more?: Partial<DockerTargetOptions>) =>
    new Promise<unknown>((resolve, reject) => {
      during(async (target) => {
        const web = spec({ artifact });
        resolve(await target.ensure(web, 1, never).catch((error: unknown) => error));
        expect(await target.observe({})).toEqual([]);
      }, pulling(more)).catch(reject);
    });

  test("that does not take the password says so in its own words, on which host, and what to do", async () => {
    await registry.changePassword("another");
    password = "wrong";
    const refused = pulling({
      registryLogin: async () => ({ username: registry.user, password: new Secret("wrong") }),
    });
    expect(await failure(refused)).toMatchObject({
      code: "REGISTRY_DENIED",
      message: expect.stringMatching(
        /^host h\d could not pull from .*shop\/web: .*(unauthorized|authentication required)/,
      ),
      hint: expect.stringContaining("user and password"),
      evidence: [["engine", "POST /images/create"]],
    });
    expect(JSON.stringify(await failure(refused))).not.toContain("wrong");
  });

  test("is asked once more with the password that is right since then", () =>
    during(async (target) => {
      password = "of yesterday";
      const web = spec({ artifact });
      const status = await target.ensure(web, 3, never);
      expect(hostsOf(status).sort()).toEqual(["h1", "h2", "h3"]);
      expect(refusals.filter((each) => each !== null)).toEqual(["of yesterday", "of yesterday", "of yesterday"]);
      await target.remove(web.id, never);
    }, pulling()));

  test("that nobody has a password for says what was missing", async () => {
    const none = new SlipwayError("REGISTRY_NO_PASSWORD", { message: "aws could not be started" });
    expect(await failure({ registryLogin: () => Promise.reject(none) })).toBe(none);
  });

  test("that is down is named, and is no failure of the host", async () => {
    await registry.stop();
    const down = await failure();
    await registry.start();
    expect(down).toMatchObject({
      code: "REGISTRY_AWAY",
      message: expect.stringMatching(/^host h\d could not pull from .*shop\/web: .*connection refused/),
      hint: expect.stringContaining("up and reachable"),
      evidence: [["engine", "POST /images/create"]],
    });
  });

  test.each([
    ["takes connections and says nothing", /^/],
    ["begins and does not go on", /\/blobs\//],
  ])("that %s is given up in time, and is no failure of the host", async (_, where) => {
    registry.slow(60_000, where);
    registry.forget();
    expect(await failure({ pullSilenceMs: 2_000 })).toMatchObject({
      code: "REGISTRY_AWAY",
      message: expect.stringMatching(/^host h\d could not pull from .*shop\/web: nothing came for 2s$/),
      hint: expect.stringContaining("up and reachable"),
    });
    expect(registry.seen.length).toBeGreaterThan(0);
  });
});

describe("an accessory", () => {
  test(
    "is found by its name, keeps its data and its place, and is only replaced when it was removed first",
    () =>
      during(async (target) => {
        const volumes = [{ source: "data", path: "/data", readOnly: false }];
        const store = (digest: string) =>
          spec(
            {
              service: serviceName("store"),
              mode: "accessory",
              configDigest: `sha256:${digest.repeat(64)}`,
              command: ["sh", "-c", "echo $SLIPWAY_REVISION >> /data/log; exec node /app/server.js"],
            },
            { volumes, user: "0", port: 3000, hostPorts: [{ host: null, hostPort: 3000, port: 3000 }] },
          );
        const first = store("a");
        const [instance] = running(await target.ensure(first, 1, never));
        const second = store("b");
        // What its successor needs is brought, and nobody stops for that.
        expect(await target.ensure(second, 0, never)).toMatchObject({
          id: first.id,
          instances: [{ pid: instance?.pid }],
        });
        const kept = await target.ensure(second, 1, never);
        expect(kept).toMatchObject({
          id: first.id,
          configDigest: first.configDigest,
          instances: [{ pid: instance?.pid }],
        });

        const web = spec({
          command: [
            "node",
            "-e",
            `setInterval(() => fetch("http://store:3000/").then((a) => a.text()).then((t) => console.log("store says " + t.trim())), 50)`,
          ],
          listens: false,
        });
        await target.ensure(web, 3, never);
        const said = new Set<string>();
        for await (const line of target.logs({ revision: web.id, follow: true }, AbortSignal.timeout(patienceMs))) {
          if (line.text === "store says v1") said.add(line.instance);
          if (said.size === 3) break;
        }
        expect(said.size).toBe(3);

        await target.remove(first.id, never);
        const [replaced] = running(await target.ensure(second, 1, never));
        expect(replaced?.host).toBe(instance?.host);
        const log = await runBeside(target, instanceId(second.id, 0), ["cat", "/data/log"]);
        expect(log.stdout).toBe(`${first.id}\n${second.id}\n`);
        await target.remove(second.id, never);
        await target.remove(web.id, never);
        expect(await leftovers(place.engines)).toEqual(["volume shop-production-data"]);

        // An environment that is gone for good takes its own with it, also what runs, and nothing of another's.
        const [mine, theirs] = ["1", "2"].map((each) => ({
          ...spec({ environment: environmentName(`preview/pr-${each}`), listens: false }, { volumes }),
        })) as [RevisionSpec, RevisionSpec];
        for (const each of [mine, theirs]) await target.ensure(each, 1, never);
        await target.clear(mine.environment, never);
        await target.clear(mine.environment, never);
        await target.clear(environmentName("production"), never);
        expect(running(await observed(target, theirs))).toHaveLength(1);
        expect((await leftovers(place.engines)).filter((each) => /pr-1|production/.test(each))).toEqual([]);
        await target.clear(theirs.environment, never);
      }),
    240_000,
  );
});
