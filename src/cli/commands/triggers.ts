import { dirname } from "node:path";
import type { TriggersView } from "../../api/contract.ts";
import { formatDuration } from "../../core/product/units.ts";
import { refText } from "../../core/triggers/decide.ts";
import type { RefRule, TriggerSettings } from "../../core/triggers/settings.ts";
import { findConfig } from "../config/find.ts";
import { type GlobalOptions, type Session, withRunning, withSession } from "../session.ts";
import { sign, style, table } from "../terminal/style.ts";
import { ago } from "../terminal/words.ts";

type InForce = NonNullable<TriggersView["inForce"]>;
type Event = TriggersView["events"][number];

/** The triggers in force, where webhooks come in, and what was heard last: what it began, or why it began nothing. */
export function triggers(options: GlobalOptions & { readonly limit: string }): Promise<number> {
  return withRunning(options, async (session) => {
    const query = new URLSearchParams({ product: session.product, limit: options.limit });
    const view = await session.client.get<TriggersView>(`/v1/triggers?${query}`);
    session.out.json(view);
    for (const line of triggersLines(view, Date.now())) session.out.line(line);
    return 0;
  });
}

/** Puts the triggers of the config in the working tree in force. Errors: CONFIG_*, GIT_*, PORT_TAKEN. */
export function applyTriggers(options: GlobalOptions): Promise<number> {
  return withSession(options, async (session) => {
    const repository = dirname(findConfig(process.cwd()));
    const view = await session.client.post<TriggersView>("/v1/triggers", {
      product: session.product,
      repository,
      actor: session.actor,
    });
    session.out.json(view);
    const { inForce } = view;
    if (inForce === null)
      session.out.line(`${style.warn(sign.back)} the config has no triggers; none are in force any more`);
    else {
      session.out.line(`${style.good(sign.done)} in force from now on`);
      for (const line of inForceLines(inForce)) session.out.line(line);
      const { webhook, report } = inForce.settings;
      if (webhook !== null) await sayWhatIsMissing(session, webhook.secret, "no delivery is taken yet");
      if (report !== null) await sayWhatIsMissing(session, report.token, "the forge is told nothing yet");
    }
    return 0;
  });
}

/** As a push to the branch would, with its newest commit. */
export function beginTrigger(branch: string, options: GlobalOptions): Promise<number> {
  return withSession(options, async (session) => {
    const { event } = await session.client.post<{ event: { phase: string; reason: string } }>("/v1/triggers/events", {
      product: session.product,
      branch,
      actor: session.actor,
    });
    session.out.json({ event });
    const begun = event.phase === "begun";
    session.out.line(`${begun ? style.good(sign.done) : style.warn(sign.warn)} ${event.reason}`);
    if (begun) session.out.line(style.quiet("  how it goes: slipway triggers"));
    return begun ? 0 : 1;
  });
}

async function sayWhatIsMissing({ client, product, out }: Session, secret: string, so: string): Promise<void> {
  const query = new URLSearchParams({ product, environment: "triggers" });
  const { secrets } = await client.get<{ secrets: { name: string }[] }>(`/v1/secrets?${query}`);
  if (secrets.some(({ name }) => name === secret)) return;
  out.line(`${style.warn(sign.warn)} ${so}; run: slipway secret set ${secret} -e triggers`);
}

export function triggersLines({ inForce, events }: TriggersView, now: number): string[] {
  if (inForce === null)
    return ["no triggers are in force; give the config some (slipway explain triggers), then: slipway triggers apply"];
  return [
    ...inForceLines(inForce),
    style.quiet(`  applied by ${inForce.appliedBy}, ${ago(inForce.appliedAt, now)}`),
    ...(events.length === 0
      ? [style.quiet("  nothing was heard yet")]
      : table(events.map((one) => eventRow(one, now)))),
  ];
}

function inForceLines({ settings, url, polledAt, pollError, untold }: InForce): string[] {
  const { branches, tags, schedules, pollMs } = settings;
  const rows = [
    ...branches.map((rule) => ["push", rule.pattern, doesText(rule)]),
    ...tags.map((rule) => ["tag", rule.pattern, doesText(rule)]),
    ...schedules.map((rule) => [rule.name, `${rule.cron} ${rule.timeZone}`, `${rule.branch}: ${doesText(rule)}`]),
  ].map(([what = "", when = "", does = ""]) => [style.quiet(what), style.name(when), does]);
  return [
    ...table(rows, "  "),
    ...(url === null ? [] : [`  ${style.quiet("webhooks")}  ${url}`]),
    ...(pollMs === null ? [] : [`  ${style.quiet("polled")}  ${pollText(settings, pollMs, polledAt, pollError)}`]),
    ...(settings.report === null ? [] : [`  ${style.quiet("told")}  ${reportText(settings.report, untold)}`]),
  ];
}

function doesText({ deploy }: Pick<RefRule, "deploy">): string {
  return deploy === null ? "run" : `run, release, deploy to ${deploy}`;
}

function pollText({ remote }: TriggerSettings, pollMs: number, at: number | null, error: string | null): string {
  const how = `${remote} every ${formatDuration(pollMs)}`;
  if (error !== null) return `${how}  ${style.bad(`${sign.failed} ${error}`)}`;
  return `${how}${at === null ? "" : style.quiet(`, last ${ago(at, Date.now())}`)}`;
}

function reportText({ forge, repository }: NonNullable<TriggerSettings["report"]>, untold: InForce["untold"]): string {
  const what = `${forge} ${repository}`;
  if (untold.error === null) return what;
  if (untold.count === 0) return `${what}  ${style.warn(`${sign.warn} ${untold.error}`)}`;
  return `${what}  ${style.bad(`${sign.failed} ${untold.count} not told yet: ${untold.error}`)}`;
}

function eventRow({ phase, source, event, reason, run, deployment, receivedAt }: Event, now: number): string[] {
  const mark = {
    ignored: style.quiet(sign.waiting),
    begun: style.accent(sign.running),
    done: style.good(sign.done),
    failed: style.bad(sign.failed),
  }[phase];
  return [
    `${mark} ${style.quiet(ago(receivedAt, now))}`,
    source,
    eventText(event),
    reason,
    style.quiet([run, deployment].filter((id) => id !== null).join(" ")),
  ];
}

function eventText(event: Event["event"]): string {
  switch (event.is) {
    case "push":
      return `${refText(event.ref)}${event.after === null ? "" : ` ${event.after.slice(0, 7)}`}`;
    case "pull-request":
      return `${refText(event.ref)}${event.commit === null ? "" : ` ${event.commit.slice(0, 7)}`}`;
    case "ci":
      return `${refText(event.at)} ${event.facts.commit.slice(0, 7)}`;
    case "schedule":
      return event.schedule;
    case "manual":
      return event.branch;
    case "ping":
      return "ping";
  }
}
