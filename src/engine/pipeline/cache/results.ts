import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { reasonOf } from "../../../core/errors/error.ts";
import type { Json } from "../../../core/ids.ts";
import type { StepPhase } from "../../../core/pipeline/decide.ts";
import { globMatcher } from "../../../core/pipeline/glob.ts";
import { canonicalJson } from "../../../core/product/canonical.ts";
import { Secret } from "../../../core/secret.ts";
import type { World } from "../../world.ts";
import type { StepOutcome } from "../outcome.ts";
import type { Attempting } from "../perform-step.ts";
import { type FileMark, filesOf, marksOf } from "./files.ts";
import { isInput, RunReads, tellsReads } from "./reads.ts";
import { toolsOf } from "./tools.ts";

/** What of a key is known before it runs, to be compared after it. */
type Keyed = { readonly key: string; readonly definition: string; readonly inputs: readonly FileMark[] };

/** What runs in this process are watched; the others' results are not kept. */
const watched = new Map<string, Promise<RunReads>>();
const mostWatched = 8;

/**
 * A step with inputs is restored when one with the same key has passed before; else it runs, and what came of it is kept when it
 * is sure that it has read nothing else. A step without inputs only runs.
 */
export async function restoredOrRun(
  world: World,
  on: Attempting,
  run: () => Promise<StepOutcome>,
  signal: AbortSignal,
): Promise<StepOutcome> {
  const { spec, input, room } = on;
  // One that is found again was not watched from its beginning.
  const isFoundAgain = existsSync(join(room, "1"));
  const keyed = spec.step.inputs === null || isFoundAgain ? null : await keyOf(world, on, await neededBy(world, on));
  if (keyed !== null && input.cache) {
    const restored = await restore(world, on, keyed);
    if (restored !== null) return restored;
  }
  const reads = await readsOf(on);
  const alone = keyed !== null && (await world.stepCache.isUnclear(keyed.definition));
  const inputs = keyed === null ? null : isInput(spec.directory, [...(spec.step.inputs ?? []), ...madeBy(on)]);
  const begun = world.clock.now();
  const { result, found } = await reads.during({ alone, inputs }, run, signal);
  if (keyed === null || result.phase !== "passed") return { ...result, key: keyed?.key ?? null };
  const tookMs = world.clock.now() - begun;
  const note = await keptOrWhyNot(world, on, { keyed, result, tookMs, found });
  const reason = [result.reason, note].filter((part) => part !== "").join("; ");
  return { ...result, reason, key: keyed.key };
}

/** Null when nothing is kept under the key. May be repeated. */
export async function restore(world: World, on: Attempting, { key }: Keyed): Promise<StepOutcome | null> {
  const kept = await world.stepCache.find(key);
  if (kept === null) return null;
  const { spec, workspace, room } = on;
  await mkdir(join(room, "1"), { recursive: true, mode: 0o700 });
  const directory = join(workspace.source, spec.directory);
  const log = join(room, "1", "log");
  if (!(await world.stepCache.restore(key, kept, { directory, patterns: spec.step.outputs, log, room }))) {
    // No attempt has begun there.
    await rm(join(room, "1"), { recursive: true, force: true });
    return null;
  }
  return { ...kept.outcome, phase: "restored", reason: `unchanged since ${kept.run}`, attempt: 1, key };
}

async function keptOrWhyNot(
  world: World,
  on: Attempting,
  {
    keyed,
    result,
    tookMs,
    found,
  }: { keyed: Keyed; result: StepOutcome; tookMs: number; found: Awaited<ReturnType<RunReads["during"]>>["found"] },
): Promise<string> {
  const { spec, workspace, at, room } = on;
  const directory = join(workspace.source, spec.directory);
  if (found.is === "unknown") return `not kept: ${found.why}`;
  if (found.is === "undeclared") {
    await world.stepCache.setUnclear(keyed.definition, !found.alone);
    const more = found.paths.length > 1 ? ` and ${found.paths.length - 1} more` : "";
    const what = `${found.paths[0]}${more}`;
    return found.alone
      ? `not kept: it read ${what}, which its inputs do not name`
      : `not kept: ${what} was read while it ran, which its inputs do not name; it runs alone the next time, to see who reads it`;
  }
  const isMade = globMatcher(madeBy(on));
  const before = keyed.inputs.filter(([path]) => !isMade(path));
  const after = await marksOf(
    directory,
    before.map(([path]) => path),
  );
  if (canonicalJson(after as unknown as Json) !== canonicalJson(before as unknown as Json))
    return "not kept: its inputs changed while it ran";
  try {
    const outcome = { ...result, key: keyed.key };
    const from = { directory, patterns: spec.step.outputs, log: join(room, String(result.attempt), "log") };
    await world.stepCache.keep(keyed.key, { run: at.run, tookMs, outcome }, from);
    return "";
  } catch (error) {
    return `not kept: ${reasonOf(error)}`;
  }
}

/** Everything that a step's result depends on, as one digest. `needed` is what it needs, as that came out. */
export async function keyOf(world: World, on: Attempting, needed: readonly Needed[]): Promise<Keyed> {
  const { spec, workspace, input, secrets, run } = on;
  const patterns = spec.step.inputs ?? [];
  const directory = join(workspace.source, spec.directory);
  // What it makes may be in the commit too, and be read before it is made anew.
  const inputs = await marksOf(directory, await filesOf(directory, [...patterns, ...madeBy(on)]));
  const definition = {
    step: spec.step.id,
    commands: spec.commands,
    directory: spec.directory,
    env: spec.step.env,
    outputs: spec.step.outputs,
    inputs: patterns,
    ...((spec.step.container ?? null) === null ? {} : { container: spec.step.container as unknown as Json }),
  };
  const all = {
    version: 1,
    definition,
    parameters: input.parameters,
    secrets: Object.fromEntries(
      Object.entries(secrets).map(([name, value]) => [name, world.vault.fingerprint(new Secret(value))]),
    ),
    system: `${process.platform} ${process.arch}`,
    tools: await toolsOf(spec.step.tools, {
      path: process.env.PATH ?? "",
      directory,
      env: { PATH: process.env.PATH ?? "", HOME: workspace.home, LANG: "C.UTF-8" },
    }),
    inputs,
    needs: needsOf(needed, run.dirty === 1 ? run.id : run.commit_hash),
  };
  return { key: digest(all as unknown as Json), definition: digest(definition), inputs };
}

/** A step that another needs, as it came out. */
export type Needed = { readonly name: string; readonly phase: StepPhase; readonly key: string | null };

/** What each needed step came to: by its key, or, where it has none, by the commit that everything in it follows from. */
function needsOf(needed: readonly Needed[], commit: string): Json {
  return needed
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, phase, key }) => [name, phase === "restored" ? "passed" : phase, key ?? commit]);
}

async function neededBy({ store }: World, { at, spec }: Attempting): Promise<readonly Needed[]> {
  if (spec.step.needs.length === 0) return [];
  const rows = await store.db
    .selectFrom("run_step")
    .select(["name", "phase", "outcome"])
    .where("run_id", "=", at.run)
    .where("name", "in", [...spec.step.needs])
    .execute();
  return rows.map(({ name, phase, outcome }) => ({
    name,
    phase,
    key: outcome === null ? null : ((JSON.parse(outcome) as StepOutcome).key ?? null),
  }));
}

function madeBy({ spec: { step } }: Attempting): readonly string[] {
  const { junit, coverage, sarif, scan = [], load = [] } = step.reports;
  return [...step.outputs, ...junit, ...coverage, ...sarif, ...scan, ...load];
}

function readsOf({ at, workspace }: Attempting): Promise<RunReads> {
  const known = watched.get(at.run);
  if (known !== undefined) return known;
  const made = (async () => {
    const list = await readFile(workspace.files, "utf8").catch(() => "");
    return new RunReads(workspace.source, list.split("\0").slice(0, -1), await tellsReads(workspace.directory));
  })();
  watched.set(at.run, made);
  for (const [old] of [...watched].slice(0, -mostWatched)) watched.delete(old);
  return made;
}

function digest(value: Json): string {
  return createHash("sha256").update(canonicalJson(value)).digest("hex");
}
