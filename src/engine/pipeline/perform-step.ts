import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { isSlipwayError, reasonOf } from "../../core/errors/error.ts";
import { type RunId, runId } from "../../core/ids.ts";
import type { ScanVerdict } from "../../core/pipeline/scan.ts";
import type { SharedCacheSpec } from "../../core/pipeline/step.ts";
import type { JobAway, JobEnd, StepJob } from "../../ports/executor.ts";
import type { RunRow, RunStepRow } from "../../ports/tables.ts";
import { type Workspace, workspaceOf } from "../release/build-log.ts";
import { pipelineSecrets } from "../secrets/pipeline.ts";
import type { World } from "../world.ts";
import { keepArtifacts, keptPatterns } from "./artifacts.ts";
import { parameterVariables } from "./asked.ts";
import { again, untilNext } from "./attempts.ts";
import { restoredOrRun } from "./cache/results.ts";
import { leadsOut, whyNotIn } from "./checkout-paths.ts";
import { imageOutcome } from "./image-step.ts";
import { lastLines } from "./last-lines.ts";
import { type LoadOutcome, type LoadPlace, loadOutcome, loadPlace } from "./load.ts";
import { type StepOutcome, whyFailed } from "./outcome.ts";
import type { StepSpec } from "./plan-steps.ts";
import { type ReadReports, readReports } from "./read-reports.ts";
import { saidOfFence } from "./said-of-fence.ts";
import { judgeFindings } from "./scan.ts";
import { stepContainer } from "./step-container.ts";

/** What a step may print. */
const outputBytes = 256 * 1024 * 1024;
/** Of the last lines of a log: kept with the outcome. */
const shownLines = 20;

export type StepOfRun = { readonly run: RunId; readonly number: number };

/** A step of a run with what it needs, as its workflow gets it. */
export type StepInput = {
  readonly run: string;
  readonly number: number;
  readonly diskBytes: number;
  readonly parameters: Readonly<Record<string, string>>;
  readonly cache: boolean;
  readonly shared: SharedCacheSpec | null;
  /** How many steps of the run may be under way; null: as many as there are cores. */
  readonly parallel: number | null;
};

/** Runs a step until it has passed, or has failed as often as it may. Found again after a crash: an attempt is begun once. */
export async function performStep(world: World, input: StepInput, signal: AbortSignal): Promise<StepOutcome> {
  const at: StepOfRun = { run: runId(input.run), number: input.number };
  const { run, row } = await rowsOf(world, at);
  const spec = JSON.parse(row.spec) as StepSpec;
  const workspace = workspaceOf(world, at.run);
  try {
    const { home, temporary } = workspace;
    for (const directory of [home, temporary, cachesOf(workspace), roomOf(workspace, at.number)])
      mkdirSync(directory, { recursive: true, mode: 0o700 });
    const secrets = await pipelineSecrets(world, run.product, spec.step.secrets);
    const besides = await pipelineSecrets(world, run.product, besideSecrets(spec));
    const on = { at, run, spec, workspace, secrets, besides, input, room: roomOf(workspace, at.number) };
    const outcome = await restoredOrRun(world, on, () => attempts(world, on, signal), signal);
    return outcome.phase === "restored" ? outcome : await keepArtifacts(on, outcome);
  } finally {
    if (!signal.aborted) world.live.ended(at.run, at.number);
  }
}

export type Attempting = {
  readonly at: StepOfRun;
  readonly run: RunRow;
  readonly spec: StepSpec;
  readonly workspace: Workspace;
  readonly secrets: Readonly<Record<string, string>>;
  /** Those of what runs beside it. */
  readonly besides: Readonly<Record<string, string>>;
  readonly input: Pick<StepInput, "diskBytes" | "parameters" | "cache" | "shared">;
  /** Where the files of its attempts are. */
  readonly room: string;
};

const nothingRan = { attempt: 0, lines: [], key: null, reports: null } as const;

async function attempts(world: World, on: Attempting, signal: AbortSignal): Promise<StepOutcome> {
  const { step, commands } = on.spec;
  const { workspace, secrets } = on;
  const from = {
    top: workspace.source,
    directory: join(workspace.source, on.spec.directory),
    secrets: Object.values(secrets),
  };
  if (on.spec.image !== undefined) return imageOutcome(world, on, on.spec.image, signal);
  if (commands.length === 0 && step.work.is !== "service")
    return { ...nothingRan, phase: "passed", reason: "nothing to run" };
  const place = await placeOf(world, on);
  if (typeof place === "string") return { ...nothingRan, phase: "failed", reason: place };
  for (let attempt = 1; ; attempt++) {
    const job = jobOf(world, on, { attempt, url: place?.url ?? null });
    if (typeof job === "string")
      return { ...nothingRan, phase: "failed", reason: `could not be started: ${job}`, attempt };
    const end = await inWorkspace(world, on, job, signal);
    const read = await readReports(step.reports, from);
    const why = verdictOf(on, end) ?? unreadReport(on, read);
    const ended = {
      attempt,
      lines: lastLines(join(job.room, "log"), shownLines),
      key: null,
      reports: read.reports,
    };
    if (why === null) {
      const times = attempt === 1 ? [] : [again(step, attempt)];
      const scan = await scanned(world, on, read);
      const load = await loaded(world, on, { read, place });
      // What was found or measured is no accident: no further attempt.
      const phase = scan?.passed === false || load?.passed === false ? "failed" : "passed";
      const open = await saidOfFence(world, on.at.run, job);
      const reason = [...[scan, load].flatMap((verdict) => verdict?.says ?? []), ...times, ...open].join("; ");
      return { ...ended, phase, reason, ...(scan === null ? {} : { scan }), ...(load === null ? {} : { load }) };
    }
    // Nobody knows how it ended: that is no attempt of its own, unless the config says that it must not happen twice.
    const last = end.is === "lost" ? step.whenLost === "fail" || attempt > step.attempts : attempt >= step.attempts;
    if (last) return { ...ended, phase: "failed", reason: attempt === 1 ? why : `${why}, ${again(step, attempt)}` };
    await untilNext(world, step, attempt, signal);
  }
}

/** A report that nobody could read is no clean one. */
function unreadReport({ spec: { step } }: Attempting, { unread }: ReadReports): string | null {
  const isJudged = (step.scan ?? step.load ?? null) !== null;
  return !isJudged || unread.length === 0 ? null : unread.join("; ");
}

/** Where a load test is at work, or why it cannot; null for other steps. */
async function placeOf(world: World, { run, spec: { step } }: Attempting): Promise<LoadPlace | string | null> {
  const policy = step.load ?? null;
  return policy === null ? null : loadPlace(world, { run, policy });
}

async function loaded(
  world: World,
  { run, spec: { step } }: Attempting,
  { read, place }: { readonly read: ReadReports; readonly place: LoadPlace | null },
): Promise<LoadOutcome | null> {
  if (step.load === null || place === null || read.load === null) return null;
  return loadOutcome(world, { run, policy: step.load, report: read.load, place });
}

async function scanned(
  world: World,
  { run, spec: { step } }: Attempting,
  { found }: ReadReports,
): Promise<ScanVerdict | null> {
  // One that was planned by the program before has none.
  const policy = step.scan ?? null;
  return policy === null ? null : judgeFindings(world, found, { policy, product: run.product, step: step.id });
}

async function inWorkspace(
  world: World,
  { at, workspace }: Attempting,
  job: StepJob,
  signal: AbortSignal,
): Promise<JobEnd> {
  const why = await whyNotIn(workspace.source, job);
  if (why !== null) return { is: "not-started", why };
  return world.executor.run(job, (chunk) => world.live.printed(at.run, at.number, chunk), signal);
}

/** Why it has not passed; null when it has: also what it was to make is there, inside the workspace. */
function verdictOf({ spec, workspace }: Attempting, end: JobEnd): string | null {
  // A scanner ends with 1 when it has found something: what that is, its report says.
  const hasLooked = (spec.step.scan ?? null) !== null && end.is === "exited" && end.code === 1;
  const failed = hasLooked ? null : whyFailed(end);
  if (failed !== null) return failed;
  for (const output of spec.step.outputs.filter((pattern) => !/[*?]/.test(pattern))) {
    const path = join(workspace.source, spec.directory, output);
    const why = leadsOut(workspace.source, path);
    if (why !== null) return `its output ${output} ${why}`;
  }
  return null;
}

function besideSecrets({ step }: StepSpec): readonly string[] {
  return [...new Set((step.container?.beside ?? []).flatMap(({ secrets }) => secrets))];
}

function awayOf({ spec: { step }, workspace }: Attempting): JobAway | null {
  // One that was planned by the program before has none.
  const labels = step.runsOn ?? [];
  if (labels.length === 0) return null;
  return { labels, top: workspace.source, patterns: [...step.outputs, ...keptPatterns(step)] };
}

/** The job of an attempt, or why there can be none. */
function jobOf(
  world: Pick<World, "readStack">,
  on: Attempting,
  { attempt, url }: { readonly attempt: number; readonly url: string | null },
): StepJob | string {
  const { at, run, spec, workspace, secrets, besides, input, room } = on;
  const away = awayOf(on);
  const caches = cachesOf(workspace);
  const variables = {
    LANG: "C.UTF-8",
    CI: "true",
    ...parameterVariables(input.parameters),
    SLIPWAY_STEP: spec.step.id,
    ...whichRun(spec, run),
    ...(url === null ? {} : { SLIPWAY_EDGE_URL: url }),
    ...spec.step.env,
    ...secrets,
  };
  const container = stepContainer(world, spec, { checkout: workspace.source, variables, besides });
  if (typeof container === "string") return container;
  return {
    key: `step-${at.run}-${at.number}-${attempt}`,
    labels: { run: at.run, step: String(at.number) },
    command: commandOf(spec.commands),
    directory: join(workspace.source, spec.directory),
    sees: [workspace.source, workspace.home, workspace.temporary, caches],
    // A container has its image's programs, and nothing else of this machine.
    env: container === null && away === null ? { ...hostVariables(workspace, caches), ...variables } : variables,
    secrets: [...Object.values(secrets), ...Object.values(besides)],
    container,
    away,
    room: join(room, String(attempt)),
    timeoutMs: spec.step.timeoutMs,
    outputBytes,
    disk: { directory: workspace.directory, maxBytes: input.diskBytes },
  };
}

/** Not for one with inputs: what it has made is put back in other runs of other commits. */
function whichRun({ step }: StepSpec, { id, commit_hash }: RunRow): Readonly<Record<string, string>> {
  return step.inputs === null ? { SLIPWAY_RUN: id, SLIPWAY_COMMIT: commit_hash } : {};
}

function hostVariables(workspace: Workspace, caches: string): Readonly<Record<string, string>> {
  return {
    PATH: process.env.PATH ?? "",
    HOME: workspace.home,
    TMPDIR: workspace.temporary,
    // What package managers have fetched and checked before is not fetched again.
    npm_config_cache: join(caches, "npm"),
    PIP_CACHE_DIR: join(caches, "pip"),
    COREPACK_HOME: join(caches, "corepack"),
    COREPACK_ENABLE_DOWNLOAD_PROMPT: "0",
  };
}

/** Several are one shell line, in which every word is quoted. */
function commandOf(commands: readonly (readonly string[])[]): readonly string[] {
  const [only] = commands;
  if (commands.length === 1 && only !== undefined) return only;
  const quoted = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;
  return ["sh", "-euc", commands.map((command) => command.map(quoted).join(" ")).join(" && ")];
}

/** What package managers of all runs have fetched. */
function cachesOf({ directory }: Workspace): string {
  return join(directory, "..", "packages");
}

/** Where the files of a step's attempts are. */
export function roomOf(workspace: Workspace, number: number): string {
  return join(workspace.steps, String(number));
}

export async function rowsOf(
  { store }: Pick<World, "store">,
  { run, number }: StepOfRun,
): Promise<{ readonly run: RunRow; readonly row: RunStepRow }> {
  return {
    run: await store.db.selectFrom("run").selectAll().where("id", "=", run).executeTakeFirstOrThrow(),
    row: await store.db
      .selectFrom("run_step")
      .selectAll()
      .where("run_id", "=", run)
      .where("number", "=", number)
      .executeTakeFirstOrThrow(),
  };
}

/** An error as an outcome: the run must hear of it, whatever it is. */
export function failedBy(
  { log }: Pick<World, "log">,
  at: Pick<StepInput, "run" | "number">,
  error: unknown,
): StepOutcome {
  if (!isSlipwayError(error)) log.error("step.bug", { run: at.run, step: at.number, reason: reasonOf(error) });
  const reason = isSlipwayError(error) ? `${error.code}: ${error.message}` : reasonOf(error);
  return { phase: "failed", reason, attempt: 0, lines: [], key: null, reports: null };
}
