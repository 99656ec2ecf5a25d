import type { Evidence } from "../../core/errors/error.ts";
import type { EpochMs } from "../../core/ids.ts";
import { evaluate, queriesOf, quietRule, type RuleLook, type RuleState } from "../../core/judge/rule/evaluate.ts";
import { rulesOf } from "../../core/judge/rule/of-spec.ts";
import type { Rule } from "../../core/judge/rule/rule.ts";
import { appendHistory } from "../history.ts";
import { releaseView } from "../release/read.ts";
import { Rounds } from "../rounds.ts";
import { Troubles } from "../troubles.ts";
import type { World } from "../world.ts";
import { actionText, perform } from "./actions.ts";
import { type RulePlace, rulePlaces } from "./places.ts";
import type { RuleStanding } from "./standings.ts";
import { lookAtWindows, plotted } from "./windows.ts";

/** How often rules are looked at. */
export const lookMs = 1_000;

/** Looks at the rules of every environment, says how each stands, records each turn, then acts. One error stops nothing but itself. */
export class RuleRunner {
  readonly #world: World;
  readonly #rounds: Rounds;
  /** What was begun and may take longer than a look. */
  readonly #acting = new Set<Promise<void>>();
  readonly #troubles: Troubles;

  constructor(world: World) {
    this.#world = world;
    this.#rounds = new Rounds(world.clock, lookMs, () => this.#troubles.guarded("rules", () => this.look()));
    this.#troubles = new Troubles(this.#rounds.signal, (rule, reason) =>
      world.log.warn("rule.not-judged", { rule, reason }),
    );
  }

  open(): void {
    this.#rounds.open();
  }

  async close(): Promise<void> {
    await this.#rounds.close();
    await Promise.allSettled(this.#acting);
  }

  /** One look at everything. */
  async look(): Promise<void> {
    const places = await rulePlaces(this.#world.store.db);
    const seen = new Set<string>();
    for (const place of places) {
      const { spec } = await releaseView(this.#world.store.db, place.release, place.environment);
      const { rules, misunderstood } = rulesOf(spec);
      for (const { name, why } of misunderstood) this.#troubles.say(`${place.environment}/${name}`, why);
      for (const rule of rules) {
        // A new release begins with a clean record.
        const key = `${place.environment}/${place.release}/${rule.name}`;
        seen.add(key);
        await this.#troubles.guarded(key, () => this.#lookAt(key, place, rule));
      }
    }
    for (const [key, standing] of this.#world.standings) if (!seen.has(key)) await this.#leave(key, standing);
  }

  /** Its release is not live any more: what fired is over. */
  async #leave(key: string, { place, rule, look, firedAt }: RuleStanding): Promise<void> {
    this.#world.standings.delete(key);
    if (look.next.firingSince === null) return;
    const over: RuleLook = { ...look, is: "ok", turned: "resolved", reason: "its release is not live any more" };
    await this.#troubles.guarded(key, () => this.#turn(place, rule, over, firedAt));
  }

  async #lookAt(key: string, place: RulePlace, rule: Rule): Promise<void> {
    const { metrics } = this.#world;
    const now = metrics.time.now();
    this.#world.alerts.record(metrics, rule, place);
    const before = this.#world.standings.get(key);
    const state: RuleState = before?.look.next ?? quietRule;
    const windows = await lookAtWindows(metrics, queriesOf(rule, place), { before: before?.windows ?? [], now });
    const seen = windows.map(({ measured }) => measured);
    const look = evaluate(rule, seen, state, now);
    const firedAt = look.turned === "fired" ? this.#world.clock.now() : (before?.firedAt ?? null);
    if (look.turned !== null) await this.#turn(place, rule, look, firedAt);
    const isUnread = before?.isUnread === true;
    const unread = this.#unread(rule, place, look) ?? isUnread;
    if (unread !== isUnread) await this.#record(place, rule, look, unread ? "rule.unmeasured" : "rule.measured");
    this.#world.standings.set(key, { place, rule, look, firedAt, windows, isUnread: unread });
  }

  /** Whether it cannot be judged because what it asks for cannot be read, such as a Prometheus that hangs; null: nobody looked. */
  #unread(rule: Rule, place: RulePlace, { measured }: RuleLook): boolean | null {
    if (measured.length === 0) return null;
    const isUnknown = measured.some(({ is }) => is === "unknown");
    return isUnknown && queriesOf(rule, place).some((query) => this.#world.metrics.unread(query) !== null);
  }

  /** Recorded first, then acted on. */
  async #turn(place: RulePlace, rule: Rule, look: RuleLook, firedAt: EpochMs | null): Promise<void> {
    const would = rule.actions.map(actionText);
    const actions = rule.dryRun ? would.map((each) => `${each} (dry run)`) : would;
    await this.#record(
      place,
      rule,
      look,
      `rule.${look.turned}`,
      look.turned === "fired" && actions.length > 0 ? [["actions", actions.join(", ")]] : [],
    );
    if (rule.dryRun) return;
    const acting = perform(
      this.#world,
      { place, rule, look, firedAt: firedAt ?? this.#world.clock.now() },
      this.#rounds.signal,
    );
    this.#acting.add(acting);
    void acting.finally(() => this.#acting.delete(acting));
  }

  async #record(
    { product, environment, release, underWay }: RulePlace,
    rule: Rule,
    look: RuleLook,
    event: string,
    more: readonly Evidence[] = [],
  ): Promise<void> {
    const { store, changes, log, clock, metrics } = this.#world;
    const plot = await plotted(metrics, rule, { environment, release }, look.measured);
    await store.db.transaction().execute((trx) =>
      appendHistory(trx, {
        at: clock.now(),
        product,
        environment,
        release,
        ...(underWay === null ? {} : { deployment: underWay }),
        event,
        actor: `rule ${rule.name}`,
        reason: look.reason,
        evidence: [["rule", rule.text], ...plot, ...more],
      }),
    );
    log[event === "rule.unmeasured" ? "warn" : "info"](event, { environment, rule: rule.name, reason: look.reason });
    changes.announce();
  }
}
