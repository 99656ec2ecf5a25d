import { expect } from "vitest";
import { revisionId } from "../../../core/ids.ts";
import type { Stopping } from "../../../ports/stopping.ts";
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

/** Of two instances none runs any more, and the first life of neither goes on when they are wanted again. */
export async function stopsWithoutSpec(target: Target & Stopping, wanted: RevisionSpec): Promise<void> {
  const before = runningOf(await target.ensure(wanted, 2, never));
  expect(before).toHaveLength(2);
  await target.stop(wanted.id, never);
  const [stopped] = await target.observe({ revision: wanted.id });
  expect(stopped).toMatchObject({ wanted: 0, release: wanted.release });
  expect(runningOf(stopped)).toEqual([]);
  // What is not there, and what is stopped, is stopped.
  await target.stop(wanted.id, never);
  await target.stop(revisionId("rev_none"), never);
  const after = runningOf(await target.ensure(wanted, 2, never));
  expect(after.map(({ id }) => id)).toEqual(before.map(({ id }) => id));
  await target.remove(wanted.id, never);
}
