import { expect } from "vitest";
import { instanceId, revisionId } from "../../../core/ids.ts";
import type { Restarts } from "../../../ports/restarts.ts";
import type { RevisionSpec, Target } from "../../../ports/target.ts";
import { eventually, runningOf } from "./observing.ts";

const never = new AbortController().signal;

/** Of two instances the first is restarted. `pidsAreOurs`: what a program calls its pid is not always 1. */
export async function restartsOne(
  target: Target & Restarts,
  wanted: RevisionSpec,
  {
    whoIs,
    pidsAreOurs,
  }: {
    readonly whoIs: (address: string | null) => Promise<{ readonly pid: number; readonly instance: string }>;
    readonly pidsAreOurs: boolean;
  },
): Promise<void> {
  const [first, second] = runningOf(await target.ensure(wanted, 2, never));
  if (first === undefined || second === undefined) throw new Error("two instances run");
  const before = await whoIs(first.address);
  const life = async (index: number) => (await target.observe({ revision: wanted.id }))[0]?.instances[index];
  const begun = (await life(0))?.startedAt ?? 0;
  await target.restart(first.id, begun, never);
  const again = await eventually(async () => {
    const now = await life(0);
    return now?.state === "running" && now.startedAt !== begun && now;
  });
  expect(again?.address).toBe(first.address);
  const after = await whoIs(first.address);
  expect(after.instance).toBe(before.instance);
  if (pidsAreOurs) expect(after.pid).not.toBe(before.pid);
  // That life is over: asked again, as after a crash of who asked, nothing is done.
  await target.restart(first.id, begun, never);
  expect((await life(0))?.startedAt).toBe(again?.startedAt);
  expect((await life(1))?.startedAt).toBe(second.startedAt);
  const nobody = target.restart(instanceId(revisionId("rev_none"), 0), begun, never);
  await expect(nobody).rejects.toMatchObject({ code: "INSTANCE_NOT_FOUND" });
  await target.remove(wanted.id, never);
}
