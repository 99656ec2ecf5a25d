import { expect } from "vitest";
import type { RevisionSpec, Target } from "../../../ports/target.ts";
import { eventually, runningOf, textOf, textsOf } from "./observing.ts";

const never = new AbortController().signal;

/** `stubborn` needs all of its grace to stop: who starts it meanwhile must not take what is ending for what runs. */
export async function startsWhatItWasStopping(target: Target, stubborn: RevisionSpec): Promise<void> {
  const [before] = runningOf(await target.ensure(stubborn, 1, never));
  await textOf(before?.address ?? null);
  const off = new AbortController();
  const stopped = target.ensure(stubborn, 0, off.signal).catch((error: unknown) => error);
  const said = () => textsOf(target.logs({ revision: stubborn.id }, never), "stdout");
  await eventually(async () => (await said()).includes("no"));
  off.abort(new Error("called off"));
  const [after] = runningOf(await target.ensure(stubborn, 1, never));
  await stopped;
  expect(after?.startedAt).toBeGreaterThan(before?.startedAt ?? Number.POSITIVE_INFINITY);
  expect(await textOf(after?.address ?? null)).toBe("still here");
  const [now] = await target.observe({ revision: stubborn.id });
  expect(runningOf(now)).toMatchObject([{ pid: after?.pid }]);
  await target.remove(stubborn.id, never);
}
