import { reasonOf, SlipwayError } from "../../core/errors/error.ts";
import type { EpochMs } from "../../core/ids.ts";
import { refPath } from "../../core/triggers/event.ts";
import { lookAtRefs } from "../../core/triggers/poll.ts";
import { keptTriggers, type TriggerSettings } from "../../core/triggers/settings.ts";
import type { TriggerConfigRow } from "../../ports/tables.ts";
import { Rounds } from "../rounds.ts";
import type { World } from "../world.ts";
import { recordEvents } from "./record.ts";

/** How often it is looked whether a remote is to be asked. */
const lookMs = 1_000;

/** Asks the remotes of triggers what was pushed, each at its interval. One that is away is asked again, and stops nothing but itself. */
export class Poller {
  readonly #world: World;
  readonly #rounds: Rounds;
  readonly #triedAt = new Map<string, EpochMs>();
  /** By product: what its last look did not find. */
  readonly #missing = new Map<string, { readonly of: EpochMs; readonly refs: ReadonlySet<string> }>();

  constructor(world: World) {
    this.#world = world;
    this.#rounds = new Rounds(world.clock, lookMs, () => this.#look());
  }

  open(): void {
    this.#rounds.open();
  }

  close(): Promise<void> {
    return this.#rounds.close();
  }

  async #look(): Promise<void> {
    const { log, store } = this.#world;
    try {
      for (const row of await store.db.selectFrom("trigger_config").selectAll().execute()) {
        const settings = keptTriggers(row.settings);
        if (settings.pollMs !== null && this.#isDue(row, settings.pollMs)) await this.#ask(row, settings);
      }
    } catch (error) {
      if (!this.#rounds.signal.aborted) log.warn("triggers.poll", { reason: reasonOf(error) });
    }
  }

  #isDue({ product, applied_at }: TriggerConfigRow, pollMs: number): boolean {
    const tried = this.#triedAt.get(product) ?? 0;
    return tried < applied_at || tried + pollMs <= this.#world.clock.now();
  }

  async #ask(row: TriggerConfigRow, settings: TriggerSettings): Promise<void> {
    const { clock, log, source } = this.#world;
    this.#triedAt.set(row.product, clock.now());
    try {
      const refs = await source.refs(row.repository, settings.remote, this.#rounds.signal);
      await this.#take(row, settings, refs);
    } catch (error) {
      if (this.#rounds.signal.aborted) return;
      const reason = reasonOf(error);
      // The same trouble again is not news.
      if (row.poll_error !== reason) log.warn("triggers.remote-away", { remote: row.product, reason });
      await this.#note(row, { poll_error: reason });
    }
  }

  async #take(row: TriggerConfigRow, settings: TriggerSettings, refs: ReadonlyMap<string, string>): Promise<void> {
    const { product } = row;
    const { store, clock, newId } = this.#world;
    const rows = await store.db.selectFrom("trigger_ref").selectAll().where("product", "=", product).execute();
    const known = new Map(rows.map(({ ref, before, after }) => [ref, { before, after }]));
    // All that was ever there has not gone at once: what answers is empty, or another repository.
    if (refs.size === 0 && known.size > 0)
      throw new SlipwayError("GIT_FAILED", {
        message: `${settings.remote} has no refs any more, and had ${known.size}: nothing is taken for deleted`,
      });
    const before = this.#missing.get(product);
    const { moved, remembered, missing } = lookAtRefs(refs, known, settings, {
      first: row.polled_at === null,
      // Triggers that were applied since may ask another remote.
      missing: before?.of === row.applied_at ? before.refs : new Set(),
    });
    this.#missing.set(product, { of: row.applied_at, refs: missing });
    // Whether it was heard of meanwhile is decided where it is written down.
    if (moved.length > 0)
      await recordEvents(this.#world, { product, source: "poll", delivery: newId(), digest: null }, moved);
    if (remembered.length > 0)
      await store.db
        .insertInto("trigger_ref")
        .values(remembered.map(({ ref, after }) => ({ product, ref: refPath(ref), before: null, after })))
        .onConflict((there) => there.columns(["product", "ref"]).doNothing())
        .execute();
    await this.#note(row, { polled_at: clock.now(), poll_error: null });
  }

  /** Only of the triggers that were asked for: others may be in force by now. */
  async #note({ product, applied_at }: TriggerConfigRow, what: Partial<TriggerConfigRow>): Promise<void> {
    await this.#world.store.db
      .updateTable("trigger_config")
      .set(what)
      .where("product", "=", product)
      .where("applied_at", "=", applied_at)
      .execute();
  }
}
