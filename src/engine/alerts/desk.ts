import { type Alert, type AlertBook, standingOf, take } from "../../core/alert/book.ts";
import { parseMatcher } from "../../core/alert/matcher.ts";
import { type EpochMs, environmentName } from "../../core/ids.ts";
import { alertSeries } from "../../core/judge/rule/alert-condition.ts";
import type { Rule } from "../../core/judge/rule/rule.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Store } from "../../ports/store.ts";
import { appendHistory, type Changes } from "../history.ts";
import type { RulePlace } from "../judge/places.ts";
import { tooOld } from "../metrics/intervals.ts";
import type { Metrics } from "../metrics/metrics.ts";

const events = { firing: "alert.firing", resolved: "alert.resolved" } as const;
/** What was heard before that is not known any more in any case. */
const rememberedMs = 30 * 86_400_000;
const actor = "alertmanager";

type Deps = {
  readonly store: Store;
  readonly clock: Clock;
  readonly changes: Changes;
  readonly product: string;
};

/** Takes messages of Alertmanager in, each once, and tells rules how the alerts stand. What is news is in the history first. */
export class AlertDesk {
  readonly #deps: Deps;
  #book: AlertBook = new Map();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** What an earlier control plane was told. */
  async open(): Promise<void> {
    const { store, clock, product } = this.#deps;
    const rows = await store.db
      .selectFrom("history")
      .select(["at", "evidence"])
      .where("product", "=", product)
      .where("event", "in", Object.values(events))
      .where("at", ">", clock.now() - rememberedMs)
      .orderBy("id")
      .execute();
    for (const { at, evidence } of rows) {
      const said = new Map(JSON.parse(evidence) as [string, string][]);
      this.#book = take(this.#book, JSON.parse(said.get("alert") ?? "null") as Alert, at).next;
    }
  }

  /** Takes them in, one message after the other. Repeating it changes nothing. How many of them were news. */
  receive(alerts: readonly Alert[]): Promise<number> {
    const mine = this.#turn.catch(() => {}).then(() => this.#receive(alerts));
    this.#turn = mine;
    return mine;
  }

  async #receive(alerts: readonly Alert[]): Promise<number> {
    const { store, clock, changes } = this.#deps;
    const now = clock.now();
    let book = this.#book;
    const news: Alert[] = [];
    for (const alert of alerts) {
      const taken = take(book, alert, now);
      book = taken.next;
      if (taken.isNews) news.push(alert);
    }
    if (news.length > 0)
      await store.db.transaction().execute(async (trx) => {
        for (const alert of news) await appendHistory(trx, this.#entry(alert, now));
      });
    this.#book = book;
    if (news.length > 0) changes.announce();
    return news.length;
  }

  /** How what a rule asks for stands now, as a sample; nothing is recorded where that is not known. */
  record(metrics: Metrics, { condition }: Rule, { product, environment }: RulePlace): void {
    if (condition.is !== "threshold" || condition.metric.series !== alertSeries) return;
    const { asked, service } = condition;
    const matcher = parseMatcher(asked ?? "");
    if (asked === null || matcher === null) return;
    const standing = standingOf(this.#book, matcher, { product, environment }, this.#deps.clock.now());
    if (standing === "unknown") return;
    const labels = { environment, ...(service !== null && { service }), probe: asked };
    metrics.record([{ metric: alertSeries, labels, value: standing === "firing" ? 1 : 0, holdMs: tooOld(sampleMs) }]);
  }

  #entry(alert: Alert, now: EpochMs) {
    const { environment } = alert.labels;
    const summary = `${alert.labels.alertname} of ${alert.labels.service ?? "no service"}`;
    return {
      at: now,
      product: this.#deps.product,
      ...(environment !== undefined && { environment: environmentName(environment) }),
      event: events[alert.status],
      actor,
      reason: alert.status === "firing" ? `${summary} fires` : `${summary} is resolved`,
      evidence: [
        ["fingerprint", alert.fingerprint],
        ["alert", JSON.stringify(alert)],
      ] as const,
    };
  }
}

/** As often as rules are looked at. */
const sampleMs = 1_000;
