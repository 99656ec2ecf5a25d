import { expect, it } from "vitest";
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
    clock: { now: () => 42 } as Clock,
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
