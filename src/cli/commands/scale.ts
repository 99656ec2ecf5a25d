import type { HistoryView, ScaledView, ScalesView, ScaleWorkView } from "../../api/contract.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import { Away } from "../away.ts";
import { type GlobalOptions, knownEnvironment, type Session, timeoutOf, withRunning, withSession } from "../session.ts";
import { sign, style, table } from "../terminal/style.ts";
import { ago, dateTime, took } from "../terminal/words.ts";

type Reading = ScalesView["services"][number];

export type ScaleOptions = GlobalOptions & {
  readonly env?: string;
  readonly reason?: string;
  readonly wait: boolean;
  readonly timeout?: string;
};

/** Of its changes, the newest that are shown. */
const shownChanges = 8;
/** Of the history, what is looked through for them. */
const lookedThrough = 1_000;

/**
 * Without a number: how many instances the live services have, within which limits, and what was decided last; of one service also its
 * changes before. With a number, or `auto`: sets it. Errors: UNKNOWN_ENVIRONMENT, UNKNOWN_SERVICE, DEPLOYMENT_IN_PROGRESS, NOT_SCALABLE.
 */
export function scale(
  service: string | undefined,
  instances: string | undefined,
  options: ScaleOptions,
): Promise<number> {
  if (service === undefined || instances === undefined)
    return withRunning(options, (session) => show(session, service, options));
  const count = countOf(instances);
  if (options.env === undefined)
    throw new SlipwayError("USAGE", {
      message: "where? name the environment with -e",
      hint: `run: slipway scale ${service} ${instances} -e production`,
    });
  const environment = options.env;
  return withSession(options, (session) => set(session, { service, environment, count }, options));
}

function countOf(text: string): number | null {
  if (text === "auto") return null;
  if (/^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= 100) return Number(text);
  throw new SlipwayError("USAGE", {
    message: `${JSON.stringify(text)} is not a number of instances`,
    hint: "use 1 to 100, or auto to follow the config and what is measured",
  });
}

async function show(session: Session, service: string | undefined, options: ScaleOptions): Promise<number> {
  if (options.env !== undefined) await knownEnvironment(session, options.env);
  const query = new URLSearchParams({
    product: session.product,
    ...(options.env === undefined ? {} : { environment: options.env }),
  });
  const view = await session.client.get<ScalesView>(`/v1/scales?${query}`);
  const found = view.services.filter((each) => service === undefined || each.service === service);
  if (service !== undefined && found.length === 0)
    throw new SlipwayError("UNKNOWN_SERVICE", {
      message: `no service ${JSON.stringify(service)} is live`,
      evidence: [["live", [...new Set(view.services.map((each) => each.service))].join(", ") || "none"]],
    });
  if (service === undefined) {
    session.out.json(view);
    for (const line of listLines(found)) session.out.line(line);
    return 0;
  }
  const all = new URLSearchParams({ ...Object.fromEntries(query), limit: `${lookedThrough}` });
  const { history } = await session.client.get<{ history: readonly HistoryView[] }>(`/v1/history?${all}`);
  const changes = history.filter(
    ({ event, reason }) => event.startsWith("service.scal") && reason.startsWith(`${service} `),
  );
  session.out.json({ at: view.at, services: found, changes });
  for (const reading of found) {
    const own = changes.filter(({ environment }) => environment === reading.environment).slice(0, shownChanges);
    for (const line of serviceLines(reading, own)) session.out.line(line);
  }
  return 0;
}

export function listLines(all: readonly Reading[]): string[] {
  if (all.length === 0) return ["nothing is live"];
  return [...new Set(all.map(({ environment }) => environment))].flatMap((environment) => [
    style.name(environment),
    ...table(
      all
        .filter((each) => each.environment === environment)
        .map((each) => [
          each.service,
          countText(each),
          each.decision ?? style.quiet("as its config says"),
          each.changed === null ? "" : style.quiet(`changed ${ago(each.changed.at, Date.now())}`),
        ]),
      "  ",
    ),
  ]);
}

/** `2 (1–3)`; on its way `2 → 3 (1–3)`. */
export function countText({ instances, wanted, limits }: Pick<Reading, "instances" | "wanted" | "limits">): string {
  const now = wanted === null || wanted === instances ? `${instances}` : `${instances} → ${wanted}`;
  return limits === null ? now : `${now} (${limits})`;
}

function serviceLines(reading: Reading, changes: readonly HistoryView[]): string[] {
  const { targets, decision, changed } = reading;
  const facts: [string, string][] = [
    ["instances", countText(reading)],
    ...(targets.length === 0 ? [] : [["too much", targets.join(", ")] satisfies [string, string]]),
    ["now", decision ?? "as its config says"],
    ...(changed === null
      ? []
      : [
          ["last change", `${changed.reason} (${changed.by}, ${ago(changed.at, Date.now())})`] satisfies [
            string,
            string,
          ],
        ]),
  ];
  return [
    `${style.name(reading.service)}  ${reading.environment}`,
    ...table(
      facts.map(([what, text]) => [style.quiet(what), text]),
      "  ",
    ),
    ...(changes.length === 0 ? [] : ["  before"]),
    ...changes.map((each) => `    ${style.quiet(dateTime(each.at))}  ${each.reason}  ${style.quiet(each.actor)}`),
  ];
}

type Wanted = { readonly service: string; readonly environment: string; readonly count: number | null };

async function set(session: Session, { service, environment, count }: Wanted, options: ScaleOptions): Promise<number> {
  const timeoutMs = timeoutOf(options.timeout);
  const { product, actor, client } = session;
  const scaled = await client.post<ScaledView>("/v1/scales", {
    product,
    environment,
    service,
    instances: count,
    actor,
    reason: options.reason ?? "",
  });
  const done = `${style.good(sign.done)} ${service} in ${environment}: ${scaled.to} ${count === null ? "now, as measured and configured from here on" : "until somebody says otherwise"}`;
  if (scaled.operation === null || !options.wait) {
    session.out.json(scaled);
    session.out.line(
      scaled.operation === null ? done : `it has begun; look at it with: slipway scale ${service} -e ${environment}`,
    );
    return 0;
  }
  const outcome = await ended(session, scaled.operation, timeoutMs);
  session.out.json({ ...scaled, outcome });
  if (outcome.is === "done") session.out.line(`${done} (${outcome.says})`);
  else session.out.line(`${style.bad(sign.failed)} ${service} in ${environment}: ${outcome.says}`);
  for (const [what, text] of outcome.evidence) session.out.line(`  ${style.quiet(what)}  ${text}`);
  return outcome.is === "done" ? 0 : 1;
}

const againMs = 200;

async function ended(
  session: Session,
  operation: string,
  timeoutMs: number | null,
): Promise<NonNullable<ScaleWorkView["outcome"]>> {
  const begun = Date.now();
  const away = new Away();
  for (;;) {
    try {
      const client = await session.reconnect();
      const { outcome } = await client.get<ScaleWorkView>(`/v1/scales/${operation}`);
      away.over();
      if (outcome !== null) return outcome;
    } catch (error) {
      await away.wait(error);
    }
    if (timeoutMs !== null && Date.now() - begun > timeoutMs)
      throw new SlipwayError("TIMED_OUT", { message: `it is not done within ${took(timeoutMs)}; it goes on` });
    await new Promise((resolve) => setTimeout(resolve, againMs));
  }
}
