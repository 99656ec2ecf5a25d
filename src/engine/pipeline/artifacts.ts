import { createReadStream } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { reasonOf, SlipwayError } from "../../core/errors/error.ts";
import { type PackedEntry, type PackLimits, packDirectory } from "../../lib/pack.ts";
import type { RunStepRow } from "../../ports/tables.ts";
import { workspaceOf } from "../release/build-log.ts";
import type { World } from "../world.ts";
import { skipping } from "./cache/store.ts";
import type { StepOutcome } from "./outcome.ts";
import { type Attempting, roomOf } from "./perform-step.ts";

/** What a step has left to be looked at: a tar of its own, beside its logs, for as long as they are kept. */
export type KeptArtifacts = { readonly digest: string; readonly bytes: number; readonly files: number };

/** Of one step. A hundred runs of ten such steps are 100 GB at the most; screenshots and reports are some MB. */
const limits: PackLimits = { bytes: 100 * 1024 * 1024, files: 20_000 };

const fileIn = (room: string): string => join(room, "artifacts.tar");

/**
 * Keeps what a step has left: its artifacts and its reports as they are, whether it has passed or not. What cannot be kept is said in the
 * outcome's reason, and fails nothing. What holds a value of a secret of the step is not kept. May be repeated.
 */
export async function keepArtifacts(on: Attempting, outcome: StepOutcome): Promise<StepOutcome> {
  const { spec, workspace, room, secrets, besides } = on;
  const patterns = keptPatterns(spec.step);
  if (patterns.length === 0 || outcome.attempt === 0) return outcome;
  const file = fileIn(room);
  try {
    let files = 0;
    const onEntry = ([, kind]: PackedEntry): void => {
      if (kind !== "d") files += 1;
    };
    const directory = join(workspace.source, spec.directory);
    const { digest, bytes } = await packDirectory(directory, file, { limits, skip: skipping(patterns), onEntry });
    const isTold = await holds(file, [...Object.values(secrets), ...Object.values(besides)]);
    if (files > 0 && !isTold) return { ...outcome, artifacts: { digest, bytes, files } };
    await rm(file, { force: true });
    return isTold ? without(outcome, "they hold the value of a secret") : outcome;
  } catch (error) {
    await rm(file, { force: true });
    return without(outcome, reasonOf(error));
  }
}

/** What is kept of a step, from its directory. */
export function keptPatterns({ artifacts = [], reports }: Attempting["spec"]["step"]): readonly string[] {
  const { junit, coverage, sarif, scan = [], load = [] } = reports;
  return [...artifacts, ...junit, ...coverage, ...sarif, ...scan, ...load];
}

function without(outcome: StepOutcome, why: string): StepOutcome {
  const note = `its artifacts are not kept: ${why}`;
  return { ...outcome, reason: outcome.reason === "" ? note : `${outcome.reason}; ${note}` };
}

/** Whether any of the texts is in the file, as it is. */
async function holds(file: string, texts: readonly string[]): Promise<boolean> {
  const wanted = texts.filter((text) => text !== "").map((text) => Buffer.from(text));
  if (wanted.length === 0) return false;
  const overlap = Math.max(...wanted.map(({ length }) => length)) - 1;
  let before = Buffer.alloc(0);
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    const both = Buffer.concat([before, chunk]);
    if (wanted.some((text) => both.includes(text))) return true;
    before = both.subarray(Math.max(0, both.length - overlap));
  }
  return false;
}

/** The tar of a step's artifacts. Errors: NOT_FOUND, with why there is none. */
export async function artifactsFile(
  world: Pick<World, "runsDirectory">,
  row: Pick<RunStepRow, "run_id" | "number" | "name" | "outcome">,
): Promise<KeptArtifacts & { readonly file: string }> {
  const outcome = row.outcome === null ? null : (JSON.parse(row.outcome) as StepOutcome);
  const kept = outcome?.artifacts ?? null;
  if (outcome === null || kept === null)
    throw new SlipwayError("NOT_FOUND", {
      message: `${row.name} of ${row.run_id} has no artifacts`,
      hint:
        outcome?.phase === "restored"
          ? `it was restored: look at the run that it was ${outcome.reason}`
          : "what a step leaves to be looked at is named in pipeline.steps.*.artifacts",
    });
  const file = fileIn(roomOf(workspaceOf(world, row.run_id), row.number));
  if ((await stat(file).catch(() => null)) !== null) return { ...kept, file };
  throw new SlipwayError("NOT_FOUND", {
    message: `the artifacts of ${row.name} of ${row.run_id} are not kept any more`,
    hint: "those of the newest 100 runs, and of releases that are kept, are",
  });
}
