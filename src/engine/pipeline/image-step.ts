import { createWriteStream, mkdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { isSlipwayError } from "../../core/errors/error.ts";
import { formatSize } from "../../core/product/units.ts";
import { checkOutAgain } from "../release/build.ts";
import { makeStepImage, type StepImage } from "../release/make-image.ts";
import type { World } from "../world.ts";
import { again, untilNext } from "./attempts.ts";
import { lastLines } from "./last-lines.ts";
import type { StepOutcome } from "./outcome.ts";
import type { Attempting } from "./perform-step.ts";

const shownLines = 20;

/** Makes the image, as often as the step may try. May be repeated after a crash: what was made comes from the builder's cache. */
export async function imageOutcome(
  world: World,
  on: Attempting,
  image: StepImage,
  signal: AbortSignal,
): Promise<StepOutcome> {
  const { step } = on.spec;
  for (let attempt = 1; ; attempt++) {
    const room = join(on.room, String(attempt));
    const { passed, says } = await oneAttempt(world, on, { image, room }, signal);
    const reason = attempt === 1 ? says : `${says}, ${again(step, attempt)}`;
    const lines = lastLines(join(room, "log"), shownLines);
    const outcome = { attempt, lines, key: null, reports: null, reason };
    if (passed) return { ...outcome, phase: "passed" };
    if (attempt >= step.attempts) return { ...outcome, phase: "failed" };
    await untilNext(world, step, attempt, signal);
  }
}

async function oneAttempt(
  world: World,
  { at, run, spec, workspace }: Attempting,
  { image, room }: { readonly image: StepImage; readonly room: string },
  signal: AbortSignal,
): Promise<{ readonly passed: boolean; readonly says: string }> {
  mkdirSync(room, { recursive: true, mode: 0o700 });
  const log = createWriteStream(join(room, "log"), { mode: 0o600 });
  const say = (line: string): void => {
    const chunk = Buffer.from(`${line}\n`);
    log.write(chunk);
    world.live.printed(at.run, at.number, chunk);
  };
  // A release is made of the commit, not of what steps have left in the checkout: so is this.
  const clean = { ...workspace, source: join(workspace.directory, `image-${at.number}`) };
  try {
    const what = { repository: run.repository, hash: run.commit_hash, dirty: run.dirty === 1 };
    await checkOutAgain(world, clean, what, signal);
    const { commit } = await world.source.resolve(run.repository, run.commit_hash);
    const of = { source: clean.source, repository: run.repository, commit, timeoutMs: spec.step.timeoutMs };
    const made = await makeStepImage(world, image, of, say, signal);
    return { passed: true, says: `${made.image.digest.slice(0, 19)}, ${formatSize(made.bytes)}` };
  } catch (error) {
    signal.throwIfAborted();
    if (!isSlipwayError(error)) throw error;
    for (const [what, text] of error.evidence) say(`${what} ${text}`.trim());
    return { passed: false, says: error.message };
  } finally {
    log.end();
    await finished(log);
    await rm(clean.source, { recursive: true, force: true });
  }
}
