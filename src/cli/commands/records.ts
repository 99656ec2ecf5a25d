import type { DeploymentView, HistoryView, ReleaseView } from "../../api/contract.ts";
import { restoreText } from "../../core/recover/restore.ts";
import { phaseText } from "../canary-text.ts";
import {
  fetchReleases,
  findRelease,
  type GlobalOptions,
  knownEnvironment,
  withRunning,
  withSession,
} from "../session.ts";
import { sign, style, table } from "../terminal/style.ts";
import { ago, dateTime, plural, took } from "../terminal/words.ts";

export type HistoryOptions = GlobalOptions & { readonly env?: string; readonly limit: string };

/** Deployments and what was done besides, newest first: what, when, who, how it ended and why. */
export function history(options: HistoryOptions): Promise<number> {
  return withRunning(options, async (session) => {
    if (options.env !== undefined) await knownEnvironment(session, options.env);
    const query = new URLSearchParams({
      product: session.product,
      limit: options.limit,
      ...(options.env === undefined ? {} : { environment: options.env }),
    });
    const { deployments } = await session.client.get<{ deployments: DeploymentView[] }>(`/v1/deployments?${query}`);
    const all = await session.client.get<{ history: HistoryView[] }>(`/v1/history?${query}`);
    const since = deployments.length < Number(options.limit) ? 0 : (deployments.at(-1)?.createdAt ?? 0);
    // Releases have a list of their own.
    const isShown = (entry: HistoryView): boolean => entry.deployment === null && entry.event !== "release.created";
    const events = all.history.filter((entry) => isShown(entry) && entry.at >= since);
    session.out.json({ deployments, events });
    if (deployments.length === 0 && events.length === 0) session.out.line("no deployment yet");
    const rows = [
      ...deployments.map((each) => ({ at: each.createdAt, row: deploymentRow(each) })),
      ...events.map((each) => ({ at: each.at, row: eventRow(each) })),
    ];
    for (const line of table(rows.toSorted((a, b) => b.at - a.at).map(({ row }) => row))) session.out.line(line);
    return 0;
  });
}

/** What was done besides deployments: locks, pins, accessories, secrets, commands by hand. */
function eventRow(entry: HistoryView): string[] {
  const [what = "", ended = ""] = entry.event.split(".");
  return [
    style.quiet(dateTime(entry.at)),
    `${style.quiet("·")} ${entry.environment ?? ""}`,
    "",
    what,
    ended,
    "",
    entry.actor,
    style.quiet(entry.reason),
  ];
}

function deploymentRow(deployment: DeploymentView): string[] {
  const lasted =
    deployment.startedAt === null || deployment.endedAt === null ? "" : took(deployment.endedAt - deployment.startedAt);
  return [
    style.quiet(dateTime(deployment.createdAt)),
    `${phaseSign(deployment.phase)} ${deployment.environment}`,
    `r${deployment.release.number} ${deployment.release.version}`,
    deployment.kind,
    phaseText(deployment),
    style.quiet(lasted),
    deployment.createdBy,
    style.quiet(
      deployment.restore === null ? deployment.reason : `${deployment.reason}; ${restoreText(deployment.restore)}`,
    ),
  ];
}

function phaseSign(phase: string): string {
  if (phase === "succeeded") return style.good(sign.done);
  if (phase === "failed" || phase === "rollback-failed") return style.bad(sign.failed);
  if (phase === "rolled-back" || phase === "cancelled") return style.warn(sign.back);
  return style.accent(sign.running);
}

/** Releases, newest first, and where each is live. */
export function releases(options: GlobalOptions): Promise<number> {
  return withRunning(options, async (session) => {
    const list = await fetchReleases(session);
    session.out.json({ releases: list });
    if (list.length === 0) session.out.line("no release yet; run: slipway deploy --env <environment>");
    for (const line of table(list.map(releaseRow))) session.out.line(line);
    const fared = list.flatMap((release) => release.records.map((record) => recordRow(release, record)));
    if (fared.length > 0) session.out.line("");
    for (const line of table(fared)) session.out.line(line);
    return 0;
  });
}

/** Keeps a release from being pruned, or lets it go again. */
export function setPin(
  release: string,
  options: GlobalOptions & { readonly pinned: boolean; readonly reason?: string },
): Promise<number> {
  return withSession(options, async (session) => {
    const { pinned } = options;
    const id = await findRelease(session, release);
    await session.client.post(`/v1/releases/${id}/pin`, {
      pinned,
      actor: session.actor,
      reason: options.reason ?? "by hand",
    });
    session.out.line(
      `${style.good(sign.done)} ${release} is ${pinned ? "pinned: it is never pruned" : "no longer pinned"}`,
    );
    session.out.json({ release: id, pinned });
    return 0;
  });
}

/** `r4  in production  2 deployments  1 taken back  1204 requests  38 failed (3.16 %)`. */
export function recordRow(
  { number }: Pick<ReleaseView, "number">,
  { environment, deployments, rollbacks, requests, errors }: ReleaseView["records"][number],
): string[] {
  const share =
    requests === null || requests === 0 ? "" : ` (${Number((((errors ?? 0) / requests) * 100).toPrecision(3))} %)`;
  return [
    style.quiet(`r${number}`),
    `in ${environment}`,
    plural(deployments, "deployment"),
    rollbacks === 0 ? "" : style.warn(`taken back ${rollbacks === 1 ? "once" : `${rollbacks} times`}`),
    requests === null ? style.quiet("no requests are known") : plural(requests, "request"),
    requests === null ? "" : `${errors ?? 0} failed${share}`,
  ];
}

function releaseRow(release: ReleaseView): string[] {
  const marks = [
    ...release.live.map((environment) => style.good(`live in ${environment}`)),
    ...(release.pinned ? ["pinned"] : []),
    ...(release.pruned ? [style.quiet("pruned")] : []),
  ];
  return [
    style.name(`r${release.number}`),
    release.version,
    release.commit.slice(0, 7),
    release.subject,
    style.quiet(`${release.author}, ${ago(release.createdAt, Date.now())}`),
    marks.join(", "),
  ];
}
