import { expect, it } from "vitest";
import { deploymentId, releaseId } from "../../core/ids.ts";
import type { Course } from "./promises.ts";
import type { Noted } from "./store.ts";
import { Tending } from "./tending.ts";

it("finds out who restarts what a rollout has in hand, and lets who restarts what is warm from before", () => {
  const restart = (release: string) =>
    ({
      event: "instance.restart",
      evidence: JSON.stringify([
        ["instance", `rev_${release}.0`],
        ["service", release],
      ]),
      at: 1,
      release_id: releaseId(release),
    }) as unknown as Noted;
  const says = (release: string, is: string): string | null => {
    const course: Course = { id: deploymentId("dep_1"), phases: [{ is, atMs: 0 }], release: releaseId("rel_3") };
    return new Tending().onHistory(restart(release), [course], "rel_2");
  };
  const all = (is: string) => ["rel_3", "rel_2", "rel_1"].map((release) => says(release, is));
  expect(all("verifying")).toEqual([
    "rev_rel_3.0 is restarted while dep_1 is verifying",
    "rev_rel_2.0 is restarted while dep_1 is verifying",
    null,
  ]);
  expect(all("baking")).toEqual(["rev_rel_3.0 is restarted while dep_1 judges it", null, null]);
  expect(all("queued")).toEqual([null, null, null]);
});
