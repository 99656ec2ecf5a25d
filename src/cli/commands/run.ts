import { existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { LogPieceView, RunDetail, RunView } from "../../api/contract.ts";
import { fromWire, SlipwayError } from "../../core/errors/error.ts";
import { unpackArchive } from "../../lib/unpack.ts";
import { postUntilAnswered } from "../away.ts";
import { findConfig } from "../config/find.ts";
import { followRun } from "../follow-run.ts";
import { newId } from "../new-id.ts";
import { countsText, runEndLines, runLines } from "../run-text.ts";
import { fetchReleases, type GlobalOptions, type Session, timeoutOf, withRunning, withSession } from "../session.ts";
import { HarmlessText } from "../terminal/harmless.ts";
import { sign, style, table } from "../terminal/style.ts";
import { ago, bytes, plural, took } from "../terminal/words.ts";
import { givenParameters } from "./run-parameters.ts";

export type RunOptions = GlobalOptions & {
  readonly step?: readonly string[];
  readonly service?: readonly string[];
  readonly param?: readonly string[];
  readonly commit?: string;
  readonly dirty?: boolean;
  readonly cache: boolean;
  readonly wait: boolean;
  readonly timeout?: string;
};

/** Takes a commit through the pipeline, or through some of its steps. Makes no release: `deploy` does, of what has passed. */
export function run(options: RunOptions): Promise<number> {
  const timeoutMs = timeoutOf(options.timeout);
  const parameters = givenParameters(options.param);
  const asked = {
    ...whole,
    steps: [...(options.step ?? [])],
    services: [...(options.service ?? [])],
    parameters,
    cache: options.cache,
  };
  return withSession(options, (session) =>
    begin(session, asked, { ...options, timeoutMs, revision: options.commit ?? "HEAD" }),
  );
}

/** Tests what is live in an environment by the load tests that its config had at that commit. */
export function loadTest(
  environment: string,
  options: Pick<RunOptions, "wait" | "timeout"> & GlobalOptions,
): Promise<number> {
  const timeoutMs = timeoutOf(options.timeout);
  return withSession(options, async (session) => {
    const releases = await fetchReleases(session);
    const live = releases.find((release) => release.live.some((name) => name === environment));
    if (live === undefined)
      throw new SlipwayError("UNKNOWN_ENVIRONMENT", {
        message: `nothing is live in ${environment}`,
        hint: `run: slipway deploy --env ${environment}`,
      });
    return begin(session, { ...whole, loadTest: environment }, { ...options, timeoutMs, revision: live.commit });
  });
}

const whole = { event: "manual", branch: null, steps: [], services: [], parameters: {}, cache: true, release: false };

type Beginning = {
  readonly revision: string;
  readonly dirty?: boolean;
  readonly wait: boolean;
  readonly timeoutMs: number | null;
};

async function begin(
  session: Session,
  asked: object,
  { revision, dirty, wait, timeoutMs }: Beginning,
): Promise<number> {
  const begun = await postUntilAnswered<{ run: string | null }>(session, "/v1/runs", {
    id: newId("run"),
    product: session.product,
    repository: dirname(findConfig(process.cwd())),
    revision,
    dirty: dirty === true,
    actor: session.actor,
    asked,
  });
  const id = begun.run ?? "";
  if (!wait) {
    session.out.line(`${id} has begun; look at it with: slipway run show ${id}`);
    session.out.json({ run: id });
    return 0;
  }
  const ended = await followRun(session.reconnect, id, session.out, { timeoutMs });
  session.out.json(ended);
  return exitCodeOf(ended, session.out.mode === "json");
}

/** What the steps have said is shown already; what has nothing to do with them is still to be said. */
function exitCodeOf({ phase, error, steps }: RunDetail, silent: boolean): number {
  if (phase !== "failed") return 0;
  const known = error === null ? new SlipwayError("PIPELINE_FAILED", { message: "the run failed" }) : fromWire(error);
  if (!silent && steps.length === 0) throw known;
  return known.exitCode;
}

export function runs(options: GlobalOptions & { readonly limit: string }): Promise<number> {
  return withRunning(options, async (session) => {
    const query = new URLSearchParams({ product: session.product, limit: options.limit });
    const list = await session.client.get<{ runs: readonly RunView[] }>(`/v1/runs?${query}`);
    session.out.json(list);
    if (list.runs.length === 0) session.out.line("no run yet; run: slipway run");
    for (const line of table(list.runs.map(runRow))) session.out.line(line);
    return 0;
  });
}

function runRow(run: RunView): string[] {
  const time = run.endedAt === null ? "" : took(run.endedAt - run.createdAt);
  const mark =
    run.endedAt === null
      ? style.accent(sign.running)
      : run.phase === "succeeded"
        ? style.good(sign.done)
        : style.bad(sign.failed);
  return [
    `${mark} ${style.name(run.id)}`,
    run.commit.slice(0, 7),
    run.event,
    countsText(run),
    style.quiet(time),
    style.quiet(`${run.createdBy}, ${ago(run.createdAt, Date.now())}`),
    run.phase === "succeeded" ? "" : style.quiet(run.reason),
  ];
}

/** One run: its steps as they stand, and why it failed. */
export function showRun(id: string, options: GlobalOptions): Promise<number> {
  return withRunning(options, async (session) => {
    const detail = await session.client.get<RunDetail>(`/v1/runs/${encodeURIComponent(id)}`);
    session.out.json(detail);
    for (const line of runLines(detail, Date.now(), { rows: Number.MAX_SAFE_INTEGER })) session.out.line(line);
    for (const line of runEndLines(detail)) session.out.line(line);
    return 0;
  });
}

export function cancelRun(id: string, options: GlobalOptions & { readonly reason?: string }): Promise<number> {
  return withRunning(options, async (session) => {
    const { cancelled } = await session.client.post<{ cancelled: boolean }>(
      `/v1/runs/${encodeURIComponent(id)}/cancel`,
      { actor: session.actor, reason: options.reason ?? "" },
    );
    session.out.json({ run: id, cancelled });
    session.out.line(cancelled ? `${style.warn(sign.back)} ${id} is cancelled` : `${id} had ended already`);
    return 0;
  });
}

export type RunArtifactsOptions = GlobalOptions & { readonly step?: readonly string[]; readonly output?: string };

/** What the steps of a run have left to be looked at; with --output brought here, a directory for each step. */
export function runArtifacts(
  id: string,
  { step: wanted = [], output, ...options }: RunArtifactsOptions,
): Promise<number> {
  return withRunning(options, async (session) => {
    const path = `/v1/runs/${encodeURIComponent(id)}`;
    const { steps } = await session.client.get<RunDetail>(path);
    const those = steps.filter((step) => wanted.length === 0 || wanted.includes(step.id));
    const unknown = wanted.find((name) => !steps.some((step) => step.id === name));
    if (unknown !== undefined)
      throw new SlipwayError("NOT_FOUND", {
        message: `${id} has no step ${unknown}`,
        evidence: [["its steps", steps.map((each) => each.id).join(", ") || "none"]],
      });
    const found = those.flatMap(({ number, id: name, artifacts }) =>
      artifacts === null ? [] : [{ number, name, ...artifacts }],
    );
    const bring = async ({ number, name }: (typeof found)[number], into: string): Promise<string> => {
      const directory = join(resolve(into), name.replaceAll(/[^\w.=,@-]+/g, "-"));
      mustBeFree(directory);
      mkdirSync(resolve(into), { recursive: true });
      const file = `${directory}.tar`;
      try {
        const digest = await session.client.download(`${path}/steps/${number}/artifacts`, file);
        await unpackArchive({ file, digest }, directory);
      } finally {
        rmSync(file, { force: true });
      }
      return directory;
    };
    const all = [];
    for (const each of found) all.push({ ...each, directory: output === undefined ? null : await bring(each, output) });
    session.out.json({ artifacts: all });
    if (all.length === 0) session.out.line(`the steps of ${id} have left nothing to be looked at`);
    const rows = all.map(({ name, files, bytes: size, directory }) => [
      style.name(name),
      plural(files, "file"),
      bytes(size),
      ...(directory === null ? [] : [style.quiet(directory)]),
    ]);
    for (const line of table(rows)) session.out.line(line);
    if (output === undefined && all.length > 0)
      session.out.line(style.quiet(`bring them here: slipway run artifacts ${id} --output <directory>`));
    return 0;
  });
}

function mustBeFree(directory: string): void {
  if (!existsSync(directory)) return;
  throw new SlipwayError("USAGE", {
    message: `${directory} is there already`,
    hint: "name another --output, or remove it",
  });
}

export type RunLogsOptions = GlobalOptions & {
  readonly run: string;
  readonly step?: string;
  readonly follow?: boolean;
};

/** What the steps of a run have printed, with their colours; with --follow until they have ended. */
export function runLogs(options: RunLogsOptions): Promise<number> {
  return withRunning(options, async (session) => {
    const query = new URLSearchParams({ follow: String(options.follow === true) });
    if (options.step !== undefined) query.set("step", options.step);
    const stop = new AbortController();
    process.once("SIGINT", () => stop.abort(new SlipwayError("INTERRUPTED", { message: "interrupted" })));
    const path = `/v1/runs/${encodeURIComponent(options.run)}/logs?${query}`;
    let last = "";
    let text = new HarmlessText();
    try {
      for await (const piece of session.client.stream<LogPieceView>(path, stop.signal)) {
        session.out.json(piece);
        if (session.out.mode === "json") continue;
        const head = `${piece.step}${piece.attempt === 1 ? "" : `, attempt ${piece.attempt}`}`;
        if (head !== last) {
          text = new HarmlessText();
          if (options.step === undefined) await print(`${style.accent(`── ${head}`)}\n`);
        }
        last = head;
        await print(text.take(piece.text));
      }
    } catch (error) {
      // Leaving a follow is how it ends.
      if (!stop.signal.aborted) throw error;
    }
    return 0;
  });
}

/** Waits for who reads: nothing is dropped, and nothing piles up here. */
function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
  });
}
