import { dirname } from "node:path";
import type { DeploymentDetail, EnvironmentView, PlanView } from "../../api/contract.ts";
import { type CiFacts, ciText } from "../../core/ci/facts.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import { postUntilAnswered } from "../away.ts";
import { findConfig } from "../config/find.ts";
import { exitCodeOf, followDeployment } from "../follow.ts";
import { followRun, releaseOf } from "../follow-run.ts";
import { newId } from "../new-id.ts";
import {
  findRelease,
  type GlobalOptions,
  knownEnvironment,
  type Session,
  status,
  timeoutOf,
  withSession,
} from "../session.ts";
import { confirm } from "../terminal/confirm.ts";
import { dateTime } from "../terminal/words.ts";
import { planLines } from "./plan-text.ts";
import { givenParameters } from "./run-parameters.ts";

export type DeployOptions = GlobalOptions & {
  readonly env: string;
  readonly commit?: string;
  readonly release?: string;
  readonly dirty?: boolean;
  /** Of the run that the release comes from. */
  readonly param?: readonly string[];
  readonly wait: boolean;
  readonly timeout?: string;
  readonly yes?: boolean;
  readonly reason?: string;
  readonly dryRun?: boolean;
  readonly busy?: "queue" | "replace" | "refuse";
  readonly overrideWindow?: boolean;
  readonly overrideBudget?: boolean;
  /** The CI's job that asks for it. */
  readonly ci?: CiFacts;
};

/** Makes a release of the commit (or takes a given one) and deploys it. */
export function deploy(options: DeployOptions): Promise<number> {
  timeoutOf(options.timeout);
  mustSayWhy(options);
  const parameters = parametersFor(options);
  return withSession(options, async (session) => {
    if (options.dryRun === true && options.release === undefined) return showPlan(session, options);
    await mustBeOpen(session, options);
    const release =
      options.release === undefined
        ? await makeRelease(session, { ...options, parameters })
        : await findRelease(session, options.release);
    const { ci } = options;
    const reason = options.reason ?? (ci === undefined ? "deployed by hand" : `deployed ${ciText(ci)}`);
    return bring(session, { ...options, release, kind: "deploy", reason });
  });
}

/** Of the release that would be made: it is not, nothing is built, and nothing changes. */
async function showPlan(session: Session, { env, commit, dirty }: DeployOptions): Promise<number> {
  const plan = await session.client.post<PlanView>("/v1/plans", {
    environment: env,
    product: session.product,
    repository: dirname(findConfig(process.cwd())),
    revision: commit ?? "HEAD",
    dirty: dirty === true,
  });
  for (const line of planLines(plan)) session.out.line(line);
  session.out.json(plan);
  return 0;
}

/** Of the run that is begun; none is begun where the release is there. Errors: USAGE. */
function parametersFor({ param = [], release }: Pick<DeployOptions, "param" | "release">): Parameters {
  if (release === undefined || param.length === 0) return givenParameters(param);
  throw new SlipwayError("USAGE", {
    message: `--param is of a run, and for ${release} none is begun: it is made already`,
    hint: "leave out --param; or leave out --release to take a commit through its pipeline",
  });
}

export type PromoteOptions = Omit<DeployOptions, "env" | "commit" | "dirty" | "param">;

/** Takes the release that is live in the environment before to this one: the same artifacts, nothing rebuilt. */
export function promote(environment: string, options: PromoteOptions & { readonly from?: string }): Promise<number> {
  timeoutOf(options.timeout);
  mustSayWhy(options);
  return withSession(options, async (session) => {
    const release =
      options.release === undefined
        ? await releaseBefore(session, environment, options.from)
        : await findRelease(session, options.release);
    return bring(session, {
      ...options,
      env: environment,
      release,
      kind: "promotion",
      reason: options.reason ?? (options.ci === undefined ? "promoted by hand" : `promoted ${ciText(options.ci)}`),
    });
  });
}

/** Before anything is built for it. */
function mustSayWhy({
  overrideWindow,
  overrideBudget,
  reason = "",
}: Pick<DeployOptions, "overrideWindow" | "overrideBudget" | "reason">): void {
  if ((overrideWindow !== true && overrideBudget !== true) || reason.trim() !== "") return;
  throw new SlipwayError("USAGE", {
    message: `--override-${overrideWindow === true ? "window" : "budget"} needs a reason: it is in the history`,
    hint: 'add: --reason "..."',
  });
}

export type RollbackOptions = GlobalOptions & {
  readonly to?: string;
  readonly force?: boolean;
  readonly wait: boolean;
  readonly timeout?: string;
  readonly reason?: string;
};

/** Back to the last good release, or to a given one. */
export function rollback(environment: string, options: RollbackOptions): Promise<number> {
  timeoutOf(options.timeout);
  return withSession(options, async (session) => {
    await knownEnvironment(session, environment);
    const to = options.to === undefined ? null : await findRelease(session, options.to);
    const { deployment } = await postUntilAnswered<{ deployment: string }>(session, "/v1/rollbacks", {
      product: session.product,
      environment,
      to,
      force: options.force === true,
      actor: session.actor,
      reason: options.reason ?? "rolled back by hand",
      askedAt: Date.now(),
    });
    const ended = await conclude(session, deployment, options);
    // What was asked is that the environment goes back: a deployment that was called off did just that.
    return ended !== null && (ended.phase === "cancelled" || ended.phase === "rolled-back")
      ? 0
      : ended === null
        ? 0
        : exitCodeOf(ended);
  });
}

type Bring = {
  readonly env: string;
  readonly release: string;
  readonly kind: "deploy" | "promotion";
  readonly reason: string;
  readonly wait: boolean;
  readonly timeout?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly busy?: "queue" | "replace" | "refuse";
  readonly overrideWindow?: boolean;
  readonly overrideBudget?: boolean;
  readonly ci?: CiFacts;
};

async function bring(session: Session, options: Bring): Promise<number> {
  if (options.dryRun === true || needsConfirmation(session, options)) {
    const plan = await session.client.post<PlanView>("/v1/plans", {
      environment: options.env,
      release: options.release,
    });
    for (const line of planLines(plan)) session.out.line(line);
    if (options.dryRun === true) {
      session.out.json(plan);
      return 0;
    }
    if (plan.live?.number === plan.release.number) return 0;
    if (!(await confirm(`Deploy r${plan.release.number} to ${options.env}?`))) return 130;
  }
  const { deployment } = await postUntilAnswered<{ deployment: string }>(session, "/v1/deployments", {
    id: newId("dep"),
    environment: options.env,
    release: options.release,
    kind: options.kind,
    actor: actorOf(session, options.ci),
    reason: options.reason,
    ...(options.ci === undefined ? {} : { ci: options.ci }),
    ...(options.busy === undefined ? {} : { whenBusy: options.busy }),
    ...(options.overrideWindow === true ? { overrideWindow: true } : {}),
    ...(options.overrideBudget === true ? { overrideBudget: true } : {}),
  });
  const ended = await conclude(session, deployment, options);
  return ended === null ? 0 : exitCodeOf(ended);
}

/** A person at a terminal is shown the plan first, and asked; scripts say what they mean with their arguments. */
function needsConfirmation(session: Session, options: Bring): boolean {
  return session.out.mode === "terminal" && options.yes !== true && process.stdin.isTTY === true;
}

/** Follows a deployment to its end, unless nobody waits for it: then null. */
export async function conclude(
  session: Session,
  deployment: string,
  options: { readonly wait: boolean; readonly timeout?: string; readonly from?: number | null },
): Promise<DeploymentDetail | null> {
  if (!options.wait) {
    session.out.line(`${deployment} has begun; look at it with: slipway status`);
    session.out.json({ deployment });
    return null;
  }
  const { from = null, timeout } = options;
  const ended = await followDeployment(session.reconnect, deployment, session.out, {
    timeoutMs: timeoutOf(timeout),
    from,
  });
  session.out.json(ended);
  return ended;
}

/** Asked before the build, so that nobody waits for one in vain. The control plane asks again. */
async function mustBeOpen(session: Session, { env: environment, commit, release }: DeployOptions): Promise<void> {
  const known = (await status(session)).environments.find((each) => each.name === environment);
  // What another commit has is not known before it is checked out; and what was deployed to is in the config, or was.
  if (known === undefined && commit === undefined && release === undefined) await mustBeInConfig(environment);
  const locked = known?.locked;
  if (locked == null) return;
  throw new SlipwayError("ENVIRONMENT_LOCKED", {
    message: `${environment} is locked by ${locked.by}: ${locked.reason}`,
    evidence: [["since", dateTime(locked.at)]],
    hint: `run: slipway unlock ${environment}, or ask ${locked.by}`,
  });
}

/** Errors: UNKNOWN_ENVIRONMENT, and those of the config. */
async function mustBeInConfig(environment: string): Promise<void> {
  const { loadConfig } = await import("../config/load.ts");
  const { resolveEnvironment } = await import("../../core/product/resolve.ts");
  const { config } = await loadConfig({ directory: dirname(findConfig(process.cwd())) });
  resolveEnvironment(config, environment);
}

/** Whom the history names: who began the job, where the CI says it. */
function actorOf({ actor }: Session, ci: CiFacts | undefined): string {
  return ci?.actor?.slice(0, 100) ?? actor;
}

type Parameters = Readonly<Record<string, string>>;

function askedFor(ci: CiFacts | undefined, parameters: Parameters) {
  const whole = { steps: [], services: [], parameters, cache: true, release: true };
  if (ci === undefined) return { ...whole, event: "deploy", branch: null };
  const event = ci.pullRequest !== null ? "pull-request" : ci.tag !== null ? "tag" : "push";
  return { ...whole, event, branch: ci.branch, ci };
}

async function makeRelease(
  session: Session,
  options: DeployOptions & { readonly parameters: Parameters },
): Promise<string> {
  const { ci, parameters } = options;
  const made = await postUntilAnswered<{ run: string | null; release: string | null }>(session, "/v1/runs", {
    id: newId("run"),
    product: session.product,
    repository: dirname(findConfig(process.cwd())),
    revision: options.commit ?? "HEAD",
    dirty: options.dirty === true,
    actor: actorOf(session, ci),
    asked: askedFor(ci, parameters),
  });
  if (made.release !== null) return made.release;
  return releaseOf(await followRun(session.reconnect, made.run ?? "", session.out));
}

async function releaseBefore(session: Session, environment: string, from: string | undefined): Promise<string> {
  const { environments } = await status(session);
  const source = from ?? (await sourceOf(environment, environments));
  const live = environments.find((each) => each.name === source)?.live;
  if (live != null) return live.id;
  throw new SlipwayError("PROMOTION_REFUSED", {
    message: `nothing is live in ${source} to promote to ${environment}`,
    hint: `run: slipway deploy --env ${source}`,
  });
}

async function sourceOf(environment: string, environments: readonly EnvironmentView[]): Promise<string> {
  const { loadConfig } = await import("../config/load.ts");
  const { resolveEnvironment } = await import("../../core/product/resolve.ts");
  const { config } = await loadConfig({ directory: dirname(findConfig(process.cwd())) });
  const { promoteFrom } = resolveEnvironment(config, environment);
  if (promoteFrom !== null) return promoteFrom;
  // What is promoted from here comes after it: going there for a release would ship it backwards.
  const others = environments.filter(
    (each) => each.name !== environment && resolveEnvironment(config, each.name).promoteFrom !== environment,
  );
  const [only] = others;
  if (others.length === 1 && only !== undefined) return only.name;
  throw new SlipwayError("USAGE", {
    message: `the config does not say where ${environment} is promoted from`,
    hint: `pass --from <environment> or --release <release>, or set environments.${environment}.promoteFrom`,
  });
}
