import fc from "fast-check";
import { expect, it } from "vitest";
import type { Digest } from "../ids.ts";
import { planRegistryRetention, type RegistryRetentionView } from "./registry-retention.ts";

const digest = (n: number): Digest => `sha256:${n.toString(16).padStart(64, "0")}`;
const view = (change: Partial<RegistryRetentionView>): RegistryRetentionView => ({
  tags: [1, 2, 3, 4].map((n) => ({ tag: `sha-${n}`, digest: digest(n), createdAt: n * 100 })),
  needed: new Set(),
  keepNewest: 1,
  keepMs: null,
  isProtected: () => false,
  now: 1_000,
  ...change,
});

it("the newest stay, the others go", () => {
  expect(planRegistryRetention(view({})).remove).toEqual([digest(3), digest(2), digest(1)]);
});

it("what a rollback needs stays, however old", () => {
  const plan = planRegistryRetention(view({ needed: new Set([digest(1)]) }));
  expect(plan.remove).toEqual([digest(3), digest(2)]);
  expect(plan.why.get(digest(1))).toBe("the store needs it");
});

it("what is young stays although there are enough of them", () => {
  expect(planRegistryRetention(view({ keepMs: 750 })).remove).toEqual([digest(2), digest(1)]);
});

it("one protected tag of several keeps the image", () => {
  const tags = [...view({}).tags, { tag: "latest", digest: digest(1), createdAt: 100 }];
  expect(planRegistryRetention(view({ tags, isProtected: (tag) => tag === "latest" })).remove).toEqual([
    digest(3),
    digest(2),
  ]);
});

it("what does not say its age stays", () => {
  const tags = [...view({}).tags, { tag: "old", digest: digest(9), createdAt: null }];
  expect(planRegistryRetention(view({ tags, keepNewest: 0 })).remove).not.toContain(digest(9));
});

it("documents go with their image and stay with it", () => {
  const about = (n: number) => ({ tag: digest(n).replace(":", "-"), digest: digest(n + 50), createdAt: null });
  const tags = [...view({}).tags, about(1), about(4)];
  const { remove } = planRegistryRetention(view({ tags }));
  expect(remove).toContain(digest(51));
  expect(remove).not.toContain(digest(54));
});

it("nothing that is needed, and no one of the newest, ever goes", () => {
  const images = fc.array(
    fc.record({ n: fc.integer({ min: 0, max: 30 }), createdAt: fc.option(fc.integer({ min: 0, max: 1_000 })) }),
  );
  fc.assert(
    fc.property(images, fc.array(fc.integer({ min: 0, max: 30 })), fc.nat(5), (listed, needed, keepNewest) => {
      const byDigest = new Map(listed.map(({ n, createdAt }) => [n, createdAt]));
      const tags = [...byDigest].map(([n, createdAt]) => ({ tag: `t${n}`, digest: digest(n), createdAt }));
      const { remove, why } = planRegistryRetention(view({ tags, needed: new Set(needed.map(digest)), keepNewest }));
      expect(remove.filter((each) => needed.map(digest).includes(each))).toEqual([]);
      expect(remove.length + why.size).toBe(tags.length);
      expect(remove.length).toBeLessThanOrEqual(Math.max(0, tags.length - keepNewest));
    }),
  );
});
