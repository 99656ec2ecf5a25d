import type { EnvironmentView } from "../../api/contract.ts";
import { canaryLines, phaseText } from "../canary-text.ts";
import { trafficLines } from "../follow.ts";
import { gateLines } from "../gates-text.ts";
import { environmentIn, status as fetchStatus, type GlobalOptions, withRunning } from "../session.ts";
import { sign, style, table } from "../terminal/style.ts";
import { ago } from "../terminal/words.ts";
import { accessoryRow, differenceLines } from "./accessory.ts";

/** What is live where, what is under way, and how it does. */
export function status(options: GlobalOptions & { readonly env?: string }): Promise<number> {
  return withRunning(options, async (session) => {
    const view = await fetchStatus(session);
    const environments =
      options.env === undefined ? view.environments : [environmentIn(view.environments, options.env)];
    session.out.json({ ...view, environments });
    if (environments.length === 0)
      session.out.line("nothing has been deployed yet; run: slipway deploy --env <environment>");
    for (const environment of environments) for (const line of statusLines(environment)) session.out.line(line);
    return 0;
  });
}

/** A first release serves before it has passed its bake: it is not called live, and not hidden either. */
function nothingLive(deployment: EnvironmentView["deployment"]): string {
  if (deployment?.liveAt == null) return "nothing is live";
  return `nothing has passed a bake yet; r${deployment.release.number} serves on trial`;
}

/** The newest rollback, as long as nothing better is live since. */
function restoreLines({ restore, live }: EnvironmentView, now: number): string[] {
  if (restore === null || (live !== null && live.since > restore.at)) return [];
  const text = `taken back ${ago(restore.at, now)}, ${restore.reason}`;
  return [`  ${restore.met ? style.quiet(text) : style.warn(`${sign.warn} ${text}`)}`];
}

/** What is told of an environment. */
export function statusLines(environment: EnvironmentView): string[] {
  const now = Date.now();
  const { live, locked, deployment } = environment;
  const head =
    live === null
      ? `${style.quiet(sign.waiting)} ${style.name(environment.name)}  ${nothingLive(deployment)}`
      : `${style.good(sign.running)} ${style.name(environment.name)}  r${live.number} ${live.version}  ${live.subject}  ${style.quiet(`live ${ago(live.since, now)}`)}`;
  return [
    `${head}${environment.url === null ? "" : `  ${style.accent(environment.url)}`}`,
    ...(locked === null
      ? []
      : [`  ${style.warn(`${sign.warn} locked by ${locked.by}: ${locked.reason} (${ago(locked.at, now)})`)}`]),
    ...(deployment === null
      ? []
      : [
          `  ${style.accent(sign.running)} ${deployment.id}  r${deployment.release.number} ${phaseText(deployment)}  ${style.quiet(deployment.reason)}`,
          ...canaryLines(deployment, now).map((line) => `  ${line}`),
          ...gateLines(deployment).map((line) => `  ${line}`),
        ]),
    ...restoreLines(environment, now),
    ...(environment.queued === 0
      ? []
      : [
          `  ${style.quiet(`${environment.queued} more ${environment.queued === 1 ? "waits its" : "wait their"} turn`)}`,
        ]),
    ...environment.gated.flatMap((each) => [
      `  ${style.warn(sign.waiting)} ${each.id}  r${each.release.number} waits at its gates  ${style.quiet(`asked for by ${each.createdBy} ${ago(each.createdAt, now)}`)}`,
      ...gateLines(each).map((line) => `  ${line}`),
    ]),
    ...environment.certificates.map(({ says }) => `  ${style.warn(`${sign.warn} certificate of ${says}`)}`),
    ...environment.firing.map(({ rule, says }) => `  ${style.bad(`${sign.failed} rule ${rule}`)}  ${says}`),
    ...environment.away.map(({ says }) => `  ${style.warn(`${sign.warn} ${says}`)}`),
    ...trafficLines(environment.services),
    ...table(environment.accessories.map((each) => ["   ", ...accessoryRow(each, now)])),
    ...environment.accessories.flatMap((each) => differenceLines(each).map((line) => `  ${line}`)),
  ];
}
