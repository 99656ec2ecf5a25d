import { expect, it } from "vitest";
import { deploymentId, releaseId, revisionId } from "../../core/ids.ts";
import type { RevisionSpec } from "../../ports/target.ts";
import { Machine } from "./machine.ts";
import { api, environment, product, type Shape } from "./product.ts";
import type { Course } from "./promises.ts";
import { Following, requestCpuMs, Scaling } from "./scaling.ts";
import { SimDatabase } from "./store.ts";
import { Timeline } from "./timeline.ts";

const spec: RevisionSpec = {
  id: revisionId("rev_shop-production-api-r1"),
  product,
  environment,
  service: api,
  release: releaseId("rel_1"),
  configDigest: `sha256:${"a".repeat(64)}`,
  mode: "service",
  artifact: { kind: "directory", digest: `sha256:${"b".repeat(64)}`, file: "/nowhere" },
  container: null,
  command: ["node", "api.js"],
  env: {},
  listens: true,
  stopGraceMs: 1_000,
  memoryBytes: null,
  cpus: null,
};

function place(cpuMs: number | null): { readonly machine: Machine; readonly timeline: Timeline } {
  const timeline = new Timeline();
  const machine = new Machine({
    timeline,
    hosts: 1,
    programOf: () => ({ readyMs: 10, stopMs: 5, baseErrors: 0, latencyMs: 1, ailment: { is: "none" } }),
    requestCpuMs: cpuMs,
    shared: () => 0,
    beforeChange: () => {},
    onCut: () => {},
    tell: () => {},
  });
  return { machine, timeline };
}

it("what an instance uses follows what it is asked, is unknown before a second is over, and never more than a processor", async () => {
  const { machine, timeline } = place(10);
  void machine.ensure(spec, 2);
  await timeline.run(() => false, 20);
  const cpu = () => {
    const revision = machine.revisions.get(spec.id);
    return revision === undefined ? [] : machine.statusOf(revision).instances.map((each) => each.cpu);
  };
  const [first, second] = [...(machine.revisions.get(spec.id)?.instances.values() ?? [])].map(({ address }) => address);
  expect(cpu()).toEqual([null, null]);
  machine.give(first ?? "", 50);
  machine.give(second ?? "", 900);
  await timeline.run(() => false, 1_008);
  expect(cpu()).toEqual([0.5, 1]);
  // The same look again, and then one at a time in which nobody came.
  expect(cpu()).toEqual([0.5, 1]);
  await timeline.run(() => false, 3_000);
  expect(cpu()).toEqual([0, 0]);
});

it("the usual load is too much for one instance, and an idle place measures nothing where nobody looks", () => {
  expect([requestCpuMs(50), requestCpuMs(0.2)]).toEqual([30, 300]);
  const { machine, timeline } = place(null);
  void machine.ensure(spec, 1);
  return timeline
    .run(() => false, 2_000)
    .then(() => {
      const revision = machine.revisions.get(spec.id);
      expect(revision === undefined ? [] : machine.statusOf(revision).instances.map((each) => each.cpu)).toEqual([
        null,
      ]);
    });
});

it("who scales beside a rollout, or past the limits, is found out", async () => {
  const database = await SimDatabase.open();
  const scaling = new Scaling(() => database);
  const shape = { scale: { min: 1, max: 2, step: 1 } } as Shape;
  const row = (event: string) => ({ event, reason: `${api} 1 → 2` }) as Parameters<Scaling["onHistory"]>[0];
  const course = (is: string): Course => ({
    id: deploymentId("dep_1"),
    phases: [{ is, atMs: 0 }],
    release: releaseId("rel_2"),
  });
  expect(scaling.onHistory(row("service.scaling"), [], shape)).toBeNull();
  expect(scaling.onHistory(row("service.scaling"), [course("gated")], shape)).toBeNull();
  expect(scaling.onHistory(row("service.scaling"), [course("queued")], shape)).toBe(
    '"api 1 → 2" begins while dep_1 is queued',
  );
  // It has waited for its turn, and takes what is under way to its end.
  expect(scaling.onHistory(row("service.scale-called-off"), [course("queued")], shape)).toBeNull();
  expect(scaling.onHistory(row("service.scaled"), [course("baking")], shape)).toBe(
    '"api 1 → 2" ends while dep_1 is baking',
  );
  expect(scaling.onHistory(row("deployment.baking"), [course("baking")], shape)).toBeNull();
  const { machine, timeline } = place(null);
  void machine.ensure(spec, 3);
  await timeline.run(() => false, 100);
  const instances = [...(machine.revisions.get(spec.id)?.instances.values() ?? [])];
  expect(instances.map((each) => scaling.onStarted(each, shape))).toEqual([
    null,
    null,
    "3 instances of api, and the limits are 1 to 2",
  ]);
  expect(instances.map((each) => scaling.onStarted(each, { ...shape, scale: null }))).toEqual([null, null, null]);
  database.close();
});

it("each wait of the scaler brings the instances nearer, however long it has become, and who stands still is found out", () => {
  let [count, waitMs] = [3, 64_000];
  const following = new Following({ wanted: 2, countNow: () => count, waitNowMs: () => waitMs, beganMs: 0 });
  expect(following.isLate(0)).toBe(false);
  // What was measured before the load fell brings one more: it is one that soon had to come back.
  [count, waitMs] = [4, 128_000];
  expect(following.isLate(2_000)).toBe(false);
  // One at a time, where the first looks of the wait wanted three.
  count = 3;
  expect(following.isLate(140_000)).toBe(false);
  expect([following.isLate(358_000), following.isLate(358_001)]).toEqual([false, true]);
  // It has risen again without a load: that is no way nearer, nor is its way back.
  count = 4;
  expect(following.isLate(358_001)).toBe(true);
  count = 3;
  expect(following.isLate(358_001)).toBe(true);
  count = 2;
  expect(following.isLate(358_001)).toBe(false);
});
