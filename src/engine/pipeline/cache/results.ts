import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { isSlipwayError, reasonOf } from "../../../core/errors/error.ts";
import type { Json } from "../../../core/ids.ts";
import type { StepPhase } from "../../../core/pipeline/decide.ts";
import { globMatcher } from "../../../core/pipeline/glob.ts";
import { canonicalJson } from "../../../core/product/canonical.ts";
import { Secret } from "../../../core/secret.ts";
import type { Workspace } from "../../release/build-log.ts";
import { pipelineSecrets } from "../../secrets/pipeline.ts";
import type { World } from "../../world.ts";
import { keptPatterns } from "../artifacts.ts";
import type { StepOutcome } from "../outcome.ts";
import type { Attempting } from "../perform-step.ts";
import type { StepSpec } from "../plan-steps.ts";
import { type FileMark, filesOf, marksOf } from "./files.ts";
import { installedFrom } from "./installed.ts";
import { isInput, type ReadFinding, RunReads, tellsReads } from "./reads.ts";
import type { SharedStore } from "./shared.ts";
import type { Kept } from "./store.ts";
import { systemText, toolsOf, usualToolsOf } from "./tools.ts";

/** What of a key is known before it runs, to be compared after it. */
export type Keyed = { readonly key: string; readonly definition: string; readonly inputs: readonly FileMark[] };

type Watched = { readonly reads: RunReads; readonly needs: ReadonlyMap<string, readonly string[]> };

/** What runs in this process are watched; the others' results are not kept. */
const watched = new Map<string, Promise<Watched>>();
const mostWatched = 8;

/**
 * A step with inputs is restored when one with the same key has passed before; else it runs, and what came of it is kept when it
 * is sure that it has read nothing else. A step without inputs only runs; a built-in install has a key for those that need it.
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
  const keyed = spec.step.inputs === null || isFoundAgain ? null : await keyNow(world, on);
  if (keyed !== null && input.cache) {
    const kept = await findKept(world, on, keyed);
    if (kept !== null && (await putBack(world, on, keyed, kept))) return restoredBy(keyed, kept);
  }
  const watch = await watchOf(world, on);
  const installing = keyed === null ? await keyOfInstall(world, on, watch.reads.files) : null;
  const alone = keyed !== null && (await world.stepCache.isUnclear(keyed.definition));
  const needed = withNeeds(watch, spec.step.id);
  const judged =
    keyed === null
      ? null
      : { inputs: isInput(spec.directory, dependedOn(on)), needs: (step: string) => needed.has(step) };
  const begun = world.clock.now();
  const { result, found } = await watch.reads.during({ name: spec.step.id, alone, judged }, run, signal);
  if (keyed === null || result.phase !== "passed") return { ...result, key: keyed?.key ?? installing };
  const tookMs = world.clock.now() - begun;
  const note = await keptOrWhyNot(world, on, { keyed, result, tookMs, found });
  const reason = [result.reason, note].filter((part) => part !== "").join("; ");
  return { ...result, reason, key: keyed.key };
}

/** What is kept under the key, here or in the shared store. */
export async function findKept(world: World, on: Attempting, { key }: Keyed): Promise<Kept | null> {
  return (await world.stepCache.find(key)) ?? (await fromShared(world, on, key));
}

/** Puts a result in the place of a step that has run: its outputs and its log. False when it cannot. May be repeated. */
export async function putBack(world: World, on: Attempting, { key }: Keyed, kept: Kept): Promise<boolean> {
  const { spec, workspace, room } = on;
  const to = { directory: join(workspace.source, spec.directory), patterns: spec.step.outputs, room };
  return inFirstRoom(on, (log) => world.stepCache.restore(key, kept, { ...to, log }));
}

/** The same of its log alone, where nobody will see the outputs. */
export async function putLogBack(world: World, on: Attempting, { key }: Keyed): Promise<boolean> {
  return inFirstRoom(on, (log) => world.stepCache.restoreLog(key, log));
}

async function inFirstRoom({ room }: Attempting, put: (log: string) => Promise<boolean>): Promise<boolean> {
  const first = join(room, "1");
  await mkdir(first, { recursive: true, mode: 0o700 });
  if (await put(join(first, "log"))) return true;
  // No attempt has begun there.
  await rm(first, { recursive: true, force: true });
  return false;
}

export function restoredBy({ key }: Keyed, { outcome, run, elsewhere }: Kept): StepOutcome {
  const reason = `unchanged since ${run}${elsewhere === true ? ", elsewhere" : ""}`;
  return { ...outcome, phase: "restored", reason, attempt: 1, key };
}

/** What another control plane has kept under the key, kept here too from now on. */
async function fromShared(world: World, on: Attempting, key: string): Promise<Kept | null> {
  const store = await sharedStore(world, on);
  return store === null ? null : world.stepCache.adopt(key, (into) => world.sharedSteps.bring(key, store, into));
}

/** Null where results stay here: what a step with secrets has made may hold them. */
async function sharedStore(world: World, { input, spec, run }: Attempting): Promise<SharedStore | null> {
  const { shared } = input;
  if (shared === null || spec.step.secrets.length > 0) return null;
  const { keyIdFrom, keyFrom } = shared;
  try {
    const { [keyIdFrom]: accessKeyId = "", [keyFrom]: secretAccessKey = "" } = await pipelineSecrets(
      world,
      run.product,
      [keyIdFrom, keyFrom],
    );
    return { ...shared, accessKeyId, secretAccessKey };
  } catch (error) {
    if (!isSlipwayError(error)) throw error;
    world.log.warn("step-cache.shared-closed", { bucket: shared.bucket, reason: reasonOf(error) });
    return null;
  }
}

async function keptOrWhyNot(
  world: World,
  on: Attempting,
  { keyed, result, tookMs, found }: { keyed: Keyed; result: StepOutcome; tookMs: number; found: ReadFinding },
): Promise<string> {
  const { spec, workspace, at, room } = on;
  const directory = join(workspace.source, spec.directory);
  if (found.is === "unknown") return `not kept: ${found.why}`;
  if (found.is === "of-another") {
    await world.stepCache.setUnclear(keyed.definition, !found.alone);
    return `not kept: ${ofAnother(found)}`;
  }
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
    const store = await sharedStore(world, on);
    if (store !== null) world.sharedSteps.offer(keyed.key, store, world.stepCache.directoryOf(keyed.key));
    return "";
  } catch (error) {
    return `not kept: ${reasonOf(error)}`;
  }
}

function ofAnother({ path, makers, needed, alone }: Extract<ReadFinding, { is: "of-another" }>): string {
  const maker = makers.join(" or ") || "a step before";
  // Side by side they cannot be told apart: what one of them says of its outputs, holds.
  const why = needed
    ? `${maker} has made; name it in the outputs of the one`
    : `${maker} has made and it does not need`;
  if (alone) return `it read ${path}, which ${why}`;
  return `${path} was read while it ran, which ${why}; it runs alone the next time, to see who reads it`;
}

/** The key of a step that is about to begin, by what is there. */
async function keyNow(world: World, on: Attempting): Promise<Keyed> {
  const directory = join(on.workspace.source, on.spec.directory);
  const inputs = await marksOf(directory, await filesOf(directory, dependedOn(on)));
  const tools = await toolsFor(on, toolNamesOf(on, (await watchOf(world, on)).reads.files));
  return keyOf(world, on, { needed: await neededBy(world, on), inputs, tools });
}

/** Of a built-in install, as it is before it runs; null where more goes into it than is known, and of every other step. */
async function keyOfInstall(world: World, on: Attempting, files: readonly string[]): Promise<string | null> {
  const inputs = await installedFrom(on, files);
  if (inputs === null) return null;
  const tools = await toolsFor(on, toolNamesOf(on, files));
  return keyOf(world, on, { needed: await neededBy(world, on), inputs, tools }).key;
}

/** What of the checkout its result depends on: what it makes may be in the commit too, and be read before it is made anew. */
export function dependedOn(on: Attempting): readonly string[] {
  return [...(on.spec.step.inputs ?? []), ...madeBy(on)];
}

/** Programs that are behind a step, in a checkout with these files. */
export function toolNamesOf({ spec }: Attempting, files: readonly string[]): readonly string[] {
  return [...usualToolsOf(files, spec.commands), ...spec.step.tools];
}

export function toolsFor({ spec, workspace }: Attempting, names: readonly string[]): ReturnType<typeof toolsOf> {
  const path = process.env.PATH ?? "";
  const directory = join(workspace.source, spec.directory);
  return toolsOf(names, { path, directory, env: { PATH: path, HOME: workspace.home, LANG: "C.UTF-8" } });
}

export type KeyParts = {
  /** What it needs, as that came out. */
  readonly needed: readonly Needed[];
  readonly inputs: readonly FileMark[];
  readonly tools: Readonly<Record<string, string>>;
};

/** Everything that a step's result depends on, as one digest. */
export function keyOf(world: World, on: Attempting, { needed, inputs, tools }: KeyParts): Keyed {
  const { spec, input, secrets, run } = on;
  const definition = {
    step: spec.step.id,
    commands: spec.commands,
    directory: spec.directory,
    env: spec.step.env,
    outputs: spec.step.outputs,
    inputs: spec.step.inputs ?? [],
    ...((spec.step.container ?? null) === null ? {} : { container: spec.step.container as unknown as Json }),
  };
  const all = {
    // Of 1 some were made by steps that were told their commit; 2 knew programs by their place.
    version: 3,
    definition,
    parameters: input.parameters,
    secrets: Object.fromEntries(
      Object.entries(secrets).map(([name, value]) => [name, world.vault.fingerprint(new Secret(value))]),
    ),
    system: systemText(),
    tools,
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
  return [...step.outputs, ...keptPatterns(step)];
}

function watchOf(world: World, { at, workspace }: Attempting): Promise<Watched> {
  const known = watched.get(at.run);
  if (known !== undefined) return known;
  const made = (async () => {
    const rows = await world.store.db.selectFrom("run_step").select("spec").where("run_id", "=", at.run).execute();
    const specs = rows.map(({ spec }) => JSON.parse(spec) as StepSpec);
    const makers = specs.map(({ step, directory }) => ({
      id: step.id,
      makes: isInput(directory, [...step.outputs, ...keptPatterns(step)]),
    }));
    const reads = new RunReads(workspace.source, await filesIn(workspace), {
      judges: specs.some(({ step, skipped }) => step.inputs !== null && skipped === null),
      works: await tellsReads(workspace.directory),
      declared: (path) => makers.flatMap(({ id, makes }) => (makes(path) ? [id] : [])),
    });
    return { reads, needs: new Map(specs.map(({ step }) => [step.id, step.needs])) };
  })();
  watched.set(at.run, made);
  for (const [old] of [...watched].slice(0, -mostWatched)) watched.delete(old);
  return made;
}

/** A step with all that it needs, also by way of others. */
function withNeeds({ needs }: Watched, id: string): ReadonlySet<string> {
  const all = new Set([id]);
  for (const each of all) for (const need of needs.get(each) ?? []) all.add(need);
  return all;
}

/** Of the checkout, as it was committed. */
export async function filesIn({ files }: Workspace): Promise<readonly string[]> {
  return (await readFile(files, "utf8").catch(() => "")).split("\0").slice(0, -1);
}

function digest(value: Json): string {
  return createHash("sha256").update(canonicalJson(value)).digest("hex");
}
