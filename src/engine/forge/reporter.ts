import { ForgeProblem } from "../../core/forge/problem.ts";
import { isOver, type PageOf, type Reported } from "../../core/forge/report.ts";
import { nextTry } from "../../core/forge/retry.ts";
import type { EpochMs } from "../../core/ids.ts";
import type { ReportSettings } from "../../core/triggers/settings.ts";
import type { Forge } from "../../ports/forge.ts";
import type { ForgeReportRow } from "../../ports/tables.ts";
import { pageUrl } from "../pages/links.ts";
import { Rounds } from "../rounds.ts";
import { Troubles } from "../troubles.ts";
import { untilChange } from "../until-change.ts";
import type { World } from "../world.ts";
import { channelsOf, newsOf, tell } from "./channels.ts";
import type { Forges } from "./forges.ts";
import { forgetTold, untold } from "./subjects.ts";

/** How often it is looked what there is to tell, besides every change; and how long between two looks at least. */
const lookMs = 5_000;
const restMs = 100;
/** Between two times of forgetting what was told long ago. */
const forgetMs = 24 * 60 * 60_000;

/**
 * Tells the forge how runs and deployments stand. What it was told is in the store, and what it should be told follows from the product's
 * own tables, so nothing is lost with a control plane, and of what has passed while the forge was away only the newest is told. Nothing
 * waits for it: no run and no deployment knows that it is there.
 */
export class Reporter {
  readonly #world: World;
  readonly #rounds: Rounds;
  readonly #troubles: Troubles;
  readonly #forges: Forges;
  /** A forge that is away, or that has had enough of us, is left alone as a whole. */
  readonly #restUntil = new Map<string, { readonly at: EpochMs; readonly of: string }>();

  readonly #forgotAt = new Map<string, EpochMs>();

  constructor(world: World, forges: Forges) {
    this.#world = world;
    this.#forges = forges;
    this.#rounds = new Rounds(world.clock, restMs, () => this.#round());
    this.#troubles = new Troubles(this.#rounds.signal, (what, reason) =>
      world.log.warn("forge.not-told", { what, reason }),
    );
  }

  open(): void {
    this.#rounds.open();
  }

  close(): Promise<void> {
    return this.#rounds.close();
  }

  async #round(): Promise<void> {
    const changed = untilChange(this.#world, this.#rounds.signal);
    try {
      const at = await this.#look();
      const waitMs = at === null ? lookMs : Math.max(restMs, Math.min(lookMs, at - this.#world.clock.now()));
      // It closes.
      await changed.wait(waitMs).catch(() => {});
    } finally {
      changed.release();
    }
  }

  /** When something is to be tried again. */
  async #look(): Promise<EpochMs | null> {
    const times: EpochMs[] = [];
    const products = await this.#troubles.guarded("forge", () =>
      this.#world.store.db.selectFrom("trigger_config").select("product").execute(),
    );
    for (const { product } of products ?? []) {
      const at = await this.#troubles.guarded(product, () => this.#report(product));
      if (at !== null) times.push(at);
    }
    return times.length === 0 ? null : Math.min(...times);
  }

  async #report(product: string): Promise<EpochMs | null> {
    const { store, clock } = this.#world;
    const opened = await this.#forges.of(product);
    if (opened === null) return null;
    const { forge, report, settings, row } = opened;
    // Another address or another forge may be well.
    const of = JSON.stringify(report);
    if (this.#restUntil.get(product)?.of !== of) this.#restUntil.delete(product);
    if (clock.now() - (this.#forgotAt.get(product) ?? 0) > forgetMs) {
      await forgetTold(store.db, product, clock.now());
      this.#forgotAt.set(product, clock.now());
    }
    const times: EpochMs[] = [];
    for (const reported of await untold(store.db, product, { from: row.applied_at, now: clock.now() }))
      for (const one of await this.#rowsOf(forge, report, reported)) {
        const rest = this.#restUntil.get(product)?.at ?? 0;
        if (this.#rounds.signal.aborted) return null;
        if (clock.now() < rest) return rest;
        const at = await this.#tellOne({ forge, report, pageOf: this.#pages(settings.url), reported, row: one });
        if (at !== null) times.push(at);
      }
    return times.length === 0 ? null : Math.min(...times);
  }

  #pages(base: string | null): PageOf {
    return (id) => (base === null ? null : pageUrl(this.#world, base, id));
  }

  /** Null: there is nothing to tell, or it was told; else when it is tried. */
  async #tellOne(what: {
    readonly forge: Forge;
    readonly report: ReportSettings;
    readonly pageOf: PageOf;
    readonly reported: Reported;
    readonly row: ForgeReportRow;
  }): Promise<EpochMs | null> {
    const { forge, report, pageOf, reported, row } = what;
    const { clock, store } = this.#world;
    const news = newsOf(reported);
    const over = isOver(reported) ? 1 : 0;
    if (row.over === 1) return null;
    if (row.told === news) return null;
    if (row.next_at !== null && clock.now() < row.next_at) return row.next_at;
    const about = `${reported.product} ${row.channel}`;
    const keep = (known: object) => this.#note(row, known);
    try {
      await tell({ db: store.db, forge, settings: report, pageOf, reported, row, keep }, this.#rounds.signal);
      await this.#note(row, { told: news, failures: 0, since: null, next_at: null, error: null, over });
      this.#troubles.over(about);
      return null;
    } catch (error) {
      if (this.#rounds.signal.aborted) return null;
      if (!(error instanceof ForgeProblem)) throw error;
      return this.#failed({ row, news, over, about, product: reported.product, of: JSON.stringify(report) }, error);
    }
  }

  async #failed({ row, news, over, about, product, of }: Failed, problem: ForgeProblem): Promise<EpochMs | null> {
    const now = this.#world.clock.now();
    const since = row.since ?? now;
    const failures = row.failures + 1;
    const at = nextTry(problem, { failures, since, now });
    this.#troubles.say(about, problem.message);
    if (at === null) {
      // What comes next is told again: it may be taken.
      const error = `given up: ${problem.message}`;
      await this.#note(row, { told: news, failures: 0, since: null, next_at: null, error, over });
      return null;
    }
    if (problem.is === "away") this.#restUntil.set(product, { at, of });
    await this.#note(row, { failures, since, next_at: at, error: problem.message });
    return at;
  }

  /** In each way in which the forge is told of it; made at the first look. */
  async #rowsOf(forge: Forge, settings: ReportSettings, reported: Reported): Promise<readonly ForgeReportRow[]> {
    const { store, clock } = this.#world;
    const { id: subject, product } = reported;
    const channels = channelsOf(forge, settings, reported);
    const read = () => store.db.selectFrom("forge_report").selectAll().where("subject", "=", subject).execute();
    let all = await read();
    const missing = channels.filter((channel) => !all.some((row) => row.channel === channel));
    if (missing.length > 0) {
      const fresh = { ...untouched, subject, product, updated_at: clock.now() };
      await store.db
        .insertInto("forge_report")
        .values(missing.map((channel) => ({ ...fresh, channel })))
        .execute();
      all = await read();
    }
    // Of ways that are no longer wanted nothing more is told.
    const left = all.filter(({ channel, over }) => over === 0 && !channels.includes(channel));
    for (const row of left) await this.#note(row, { over: 1 });
    return channels.flatMap((channel) => all.find((row) => row.channel === channel) ?? []);
  }

  async #note({ subject, channel }: ForgeReportRow, what: Partial<ForgeReportRow>): Promise<void> {
    await this.#world.store.db
      .updateTable("forge_report")
      .set({ ...what, updated_at: this.#world.clock.now() })
      .where("subject", "=", subject)
      .where("channel", "=", channel)
      .execute();
  }
}

const untouched = {
  place: null,
  remote_id: null,
  told: null,
  failures: 0,
  since: null,
  next_at: null,
  error: null,
  over: 0,
} as const;

type Failed = {
  readonly row: ForgeReportRow;
  readonly news: string;
  readonly over: 0 | 1;
  readonly about: string;
  readonly product: string;
  readonly of: string;
};
