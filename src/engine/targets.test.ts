import { expect, it } from "vitest";
import { SlipwayError } from "../core/errors/error.ts";
import { instanceId, releaseId, revisionId, serviceName } from "../core/ids.ts";
import type { TargetSpec } from "../core/product/spec.ts";
import type { Clock } from "../ports/clock.ts";
import type { Store } from "../ports/store.ts";
import type { LogLine, RevisionStatus, Target } from "../ports/target.ts";
import { Targets } from "./targets.ts";

const revision = revisionId("rev_1");
const line = (index: number, text: string): LogLine => ({
  at: 1,
  stream: "stdout",
  text,
  service: serviceName("web"),
  release: releaseId("rel_1"),
  revision,
  instance: instanceId(revision, index),
});

/** Two configs of one product: the second has a host more than the first, and they share one. */
function targetsOf(
  made: readonly Partial<Target>[],
  specs: readonly TargetSpec[] = [specOf(["ssh://a", "ssh://b"]), specOf(["ssh://b", "ssh://c"])],
): Targets {
  const waiting = [...made];
  const rows = {
    selectFrom: () => rows,
    select: () => rows,
    distinct: () => rows,
    where: () => rows,
    execute: async () => [],
  };
  const targets = new Targets({
    store: { db: rows } as unknown as Store,
    clock: { now: () => 42, sleep: () => new Promise(() => {}) } as unknown as Clock,
    log: { info: () => {}, warn: () => {}, error: () => {} },
    make: () => waiting.shift() as Target,
  });
  for (const spec of specs) targets.of(spec);
  return targets;
}

const specOf = (urls: readonly string[]): TargetSpec => ({
  driver: "docker",
  hosts: urls.map((url) => ({ name: url, url, tls: null, address: null })),
  builder: urls[0] ?? "",
  registry: null,
  whenAway: "stop",
});

it("an instance that two targets see writes each line once", async () => {
  const lines = (...all: LogLine[]) => ({
    async *logs() {
      yield* all;
    },
  });
  const shared = [line(1, "one"), line(1, "two")];
  const targets = targetsOf([lines(line(0, "here"), ...shared), lines(...shared, line(2, "there"))]);
  const seen: string[] = [];
  for await (const { text } of targets.logs({}, new AbortController().signal)) seen.push(text);
  expect(seen.toSorted()).toEqual(["here", "one", "there", "two"]);
});

it("of the only place in use, which is away and was never seen, nothing is told as if there were nothing", async () => {
  const observe = async () => {
    throw new Error("it is away");
  };
  // Before and after a host was added: the second is asked for both.
  const specs = [specOf(["ssh://a"]), specOf(["ssh://a", "ssh://b"])];
  const targets = targetsOf(
    [
      { name: "docker", observe },
      { name: "docker", observe },
    ],
    specs,
  );
  await expect(targets.observe({})).rejects.toThrow("it is away");
});

it("of a place that is away, what was seen last is told, and that it is not seen now", async () => {
  const status = {
    id: revision,
    instances: [{ id: instanceId(revision, 0), state: "running" }],
  } as unknown as RevisionStatus;
  let away = false;
  const observe = async () => {
    if (away) throw new Error("it is away");
    return [status];
  };
  const targets = targetsOf([
    { name: "docker", observe },
    { name: "docker", observe: async () => [] },
  ]);
  expect((await targets.observe({}))[0]?.instances[0]?.lastSeen).toBeUndefined();
  away = true;
  expect((await targets.observe({}))[0]?.instances[0]).toMatchObject({ state: "running", lastSeen: 42 });
});

it("of a place that is away, what it told who watches is known too: it may have been started since the last look", async () => {
  const status = {
    id: revision,
    instances: [{ id: instanceId(revision, 0), state: "running" }],
  } as unknown as RevisionStatus;
  const away = async () => {
    throw new Error("it is away");
  };
  const targets = targetsOf([
    {
      name: "docker",
      observe: away,
      async *watch() {
        yield [status];
      },
    },
    { name: "docker", observe: async () => [], async *watch() {} },
  ]);
  const over = new AbortController();
  for await (const statuses of targets.watch({}, over.signal)) {
    expect(statuses).toEqual([status]);
    break;
  }
  over.abort();
  expect((await targets.observe({}))[0]?.instances[0]).toMatchObject({ state: "running", lastSeen: 42 });
});

it("where an instance is, is asked once and not at each of its probes, and again when it is not there any more", async () => {
  const asked: string[] = [];
  const place = (name: string, indexes: readonly number[]): Partial<Target> => ({
    name,
    observe: async () => {
      asked.push(name);
      const instances = indexes.map((index) => ({ id: instanceId(revision, index) }));
      return [{ id: revision, instances } as unknown as RevisionStatus];
    },
    reach: async (instance) => {
      if (gone) throw new SlipwayError("INSTANCE_NOT_FOUND", { message: `no ${instance}` });
      return name;
    },
    remove: async () => {},
  });
  let gone = false;
  // Both have the revision; the second alone has the instance on its third host.
  const targets = targetsOf([place("before", [0]), place("after", [0, 1])]);
  const { signal } = new AbortController();
  const reach = () => targets.reach(instanceId(revision, 1), signal);
  for (let times = 0; times < 3; times += 1) expect(await reach()).toBe("after");
  expect(asked).toEqual(["before", "after"]);
  gone = true;
  await expect(reach()).rejects.toMatchObject({ code: "INSTANCE_NOT_FOUND" });
  gone = false;
  expect(await reach()).toBe("after");
  expect(asked).toHaveLength(4);
  await targets.remove(revision, signal);
  expect(await reach()).toBe("after");
  expect(asked).toHaveLength(6);
});

it("people are shown what is there of a place whose other machines are away, and a release's number is above that", async () => {
  const status = { id: revisionId("rev_shop-production-web-r7"), instances: [] } as unknown as RevisionStatus;
  const spec = specOf(["ssh://a", "ssh://b"]);
  let awayForMs: number | null = 1_000;
  let present = [status];
  const host = { name: "b", url: "ssh://b", askedMs: 0, givenUp: false };
  const place = {
    name: "docker",
    observe: async () => {
      throw new Error("b is away");
    },
    present: async () => present,
    hosts: () => [{ ...host, awayForMs }],
  };
  const targets = targetsOf([place], [spec]);
  await expect(targets.observe({})).rejects.toThrow("b is away");
  expect(await targets.present({})).toEqual([status]);
  expect(await targets.highestNumber([spec])).toBe(7);
  // It may have a higher one: it is asked again, until it has answered.
  present = [{ ...status, id: revisionId("rev_shop-production-web-r9") }];
  awayForMs = null;
  expect(await targets.highestNumber([spec])).toBe(9);
  present = [];
  expect(await targets.highestNumber([spec])).toBe(9);
});
