import type { HistoryView, RulesView } from "../../api/contract.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import { formatDuration } from "../../core/product/units.ts";
import { type GlobalOptions, knownEnvironment, withRunning } from "../session.ts";
import { sign, style, table } from "../terminal/style.ts";
import { dateTime } from "../terminal/words.ts";

type Reading = RulesView["rules"][number];

/** Of its firings and their ends, the newest that are shown. */
const shownTurns = 6;
/** Of the history, what is looked through for them. */
const lookedThrough = 1_000;

/**
 * The rules in force and how each stands; with a name that rule alone: what it watches, its window as a plot against the threshold,
 * and how it turned before. Changes nothing. Errors: UNKNOWN_ENVIRONMENT, NOT_FOUND with the rules that there are.
 */
export function rules(name: string | undefined, options: GlobalOptions & { readonly env?: string }): Promise<number> {
  return withRunning(options, async (session) => {
    if (options.env !== undefined) await knownEnvironment(session, options.env);
    const query = new URLSearchParams(options.env === undefined ? {} : { environment: options.env });
    const view = await session.client.get<RulesView>(`/v1/rules?${query}`);
    if (name === undefined) {
      session.out.json(view);
      for (const line of listLines(view.rules)) session.out.line(line);
      return 0;
    }
    const found = view.rules.filter((rule) => rule.name === name);
    if (found.length === 0) {
      throw new SlipwayError("NOT_FOUND", {
        message: `no rule ${JSON.stringify(name)} is in force`,
        evidence: [["in force", [...new Set(view.rules.map((rule) => rule.name))].join(", ") || "none"]],
        hint: "run: slipway rules",
      });
    }
    const all = new URLSearchParams({
      ...Object.fromEntries(query),
      product: session.product,
      limit: `${lookedThrough}`,
    });
    const { history } = await session.client.get<{ history: readonly HistoryView[] }>(`/v1/history?${all}`);
    const turns = history.filter(({ actor, event }) => actor === `rule ${name}` && event.startsWith("rule."));
    session.out.json({ at: view.at, rules: found, turns });
    for (const rule of found) {
      const own = turns.filter(({ environment }) => environment === rule.environment).slice(0, shownTurns);
      for (const line of ruleLines(rule, own)) session.out.line(line);
    }
    return 0;
  });
}

export function listLines(all: readonly Reading[]): string[] {
  if (all.length === 0) {
    return ["no rules are in force: nothing is live, or its config has none (slipway explain rules)"];
  }
  return [...new Set(all.map(({ environment }) => environment))].flatMap((environment) => [
    style.name(environment),
    ...table(
      all
        .filter((rule) => rule.environment === environment)
        .map((rule) => [`${markOf(rule)} ${rule.name}`, stateText(rule), rule.reason, style.quiet(actionsText(rule))]),
      "  ",
    ),
  ]);
}

export function ruleLines(rule: Reading, turns: readonly HistoryView[]): string[] {
  const facts: [string, string][] = [
    ["rule", rule.text],
    ["stands", `${stateText(rule)}: ${rule.reason}`],
    ["then", `${actionsText(rule)}  ${style.quiet(`severity ${rule.severity}`)}`],
    ...rule.evidence.map(([what, text]): [string, string] => [what, text]),
  ];
  return [
    `${markOf(rule)} ${style.name(rule.name)}  ${rule.environment}`,
    ...table(
      facts.map(([what, text]) => [style.quiet(what), text]),
      "  ",
    ),
    ...(turns.length === 0 ? [style.quiet("  has not turned yet")] : ["  before"]),
    ...turns.flatMap((turn) => [
      `    ${style.quiet(dateTime(turn.at))}  ${turnText(turn.event)}  ${turn.reason}`,
      ...turn.evidence.filter(([what]) => what === "plot").map(([, text]) => `      ${style.quiet(text)}`),
    ]),
  ];
}

/** As wide as each other. */
function turnText(event: string): string {
  switch (event) {
    case "rule.fired":
      return style.bad("fired   ");
    case "rule.unmeasured":
      return style.warn("unknown ");
    case "rule.measured":
      return style.quiet("measured");
    case "rule.action-failed":
      return style.bad("not done");
    default:
      return style.good("resolved");
  }
}

function markOf({ is }: Reading): string {
  switch (is) {
    case "ok":
      return style.good(sign.done);
    case "firing":
      return style.bad(sign.failed);
    case "pending":
      return style.warn(sign.warn);
    case "unknown":
    case "off":
      return style.quiet(sign.waiting);
  }
}

function stateText({ is, forMs }: Reading): string {
  const lasting = forMs === null ? "" : ` for ${formatDuration(Math.round(forMs / 1_000) * 1_000)}`;
  switch (is) {
    case "ok":
      return style.good("ok");
    case "firing":
      return style.bad(`firing${lasting}`);
    case "pending":
      return style.warn(`broken${lasting}`);
    case "unknown":
      return style.quiet("unknown");
    case "off":
      return style.quiet("not now");
  }
}

function actionsText({ actions, dryRun }: Reading): string {
  const what = actions.length === 0 ? "written down" : actions.join(", ");
  return dryRun ? `${what} (dry run)` : what;
}
