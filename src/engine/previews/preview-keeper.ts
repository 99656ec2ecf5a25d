import { self } from "../../core/actor.ts";
import type { Traffic, TrafficTarget } from "../../core/deploy/traffic.ts";
import type { EnvironmentName, EpochMs } from "../../core/ids.ts";
import { lastUse, overAge, shouldSleep, type Use } from "../../core/previews/decide.ts";
import type { EdgeCounters } from "../../ports/edge.ts";
import type { PreviewRow } from "../../ports/tables.ts";
import { findEnvironment } from "../environment.ts";
import { releaseView } from "../release/read.ts";
import { Rounds } from "../rounds.ts";
import { findSettings } from "../triggers/settings.ts";
import { Troubles } from "../troubles.ts";
import type { World } from "../world.ts";
import { endPreview, startLostRemoval } from "./remove.ts";
import { letSleep, restAgain, wake } from "./rest.ts";
import { charge, previewOf, setPreview, spentNow } from "./rows.ts";

const lookMs = 2_000;
/** What runs is charged so often, besides every change of how much that is. */
const chargeMs = 60_000;
/** How often it is looked whether somebody waits for one that sleeps. */
const askedMs = 150;
/** One that could not be started is tried again for those who wait after this. */
const againMs = 30_000;

type Seen = { readonly requests: number; readonly at: EpochMs; readonly inFlight: number };

/**
 * Looks after the previews: those that nobody asks go to sleep and are woken by the next request, those that are too old go, what runs is
 * charged, and what was cut short goes on.
 */
export class PreviewKeeper {
  readonly #world: World;
  readonly #rounds: Rounds;
  readonly #asked: Rounds;
  readonly #troubles: Troubles;
  /** By name: what the edge has counted when that changed last. */
  readonly #seen = new Map<EnvironmentName, Seen>();
  readonly #resting = new Map<EnvironmentName, string>();
  /** Those whose start has not come to anything yet. */
  readonly #wokenAt = new Map<EnvironmentName, number>();

  constructor(world: World) {
    this.#world = world;
    this.#rounds = new Rounds(world.clock, lookMs, () => this.#look());
    this.#asked = new Rounds(world.clock, askedMs, () => this.#wakeAsked());
    this.#troubles = new Troubles(this.#rounds.signal, (what, reason) =>
      world.log.warn("previews.trouble", { what, reason }),
    );
  }

  open(): void {
    this.#rounds.open();
    this.#asked.open();
  }

  async close(): Promise<void> {
    await Promise.all([this.#rounds.close(), this.#asked.close()]);
  }

  async #look(): Promise<void> {
    await this.#troubles.guarded("look", async () => {
      const rows = await this.#world.store.db.selectFrom("preview").selectAll().execute();
      if (rows.length === 0) return;
      const running = await this.#instances();
      for (const row of rows)
        await this.#troubles.guarded(row.name, () => this.#lookAt(row, running.get(row.name) ?? 0));
    });
  }

  async #instances(): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>();
    for (const { environment, instances } of await this.#world.targets.observe({})) {
      const up = instances.filter(({ state }) => state !== "stopped" && state !== "exited").length;
      counts.set(environment, (counts.get(environment) ?? 0) + up);
    }
    return counts;
  }

  async #lookAt(row: PreviewRow, instances: number): Promise<void> {
    const { store, clock } = this.#world;
    const now = clock.now();
    const at = { product: row.product, environment: row.name };
    if (row.phase === "awake") this.#wokenAt.delete(row.name);
    if (row.phase === "removing") return startLostRemoval(this.#world, row);
    if (instances !== row.instances || (row.instances > 0 && now - row.charged_at >= chargeMs))
      await store.db.transaction().execute((trx) => charge(trx, row, now, instances));
    if (row.phase === "asleep" && instances > 0) await this.#restAgain(row);
    const policy = (await findSettings(store.db, row.product))?.settings.templates[row.template];
    if (policy === undefined) return;
    const tooOld = overAge(previewOf(row), policy, now);
    if (tooOld !== null) {
      await endPreview(this.#world, { ...at, actor: self, reason: tooOld });
      return;
    }
    const use = await this.#useOf(row, now);
    const spent = await spentNow(store.db, { product: row.product, template: row.template, now });
    const reason = shouldSleep(row, policy, { use, spent, now });
    if (reason !== null) await letSleep(this.#world, { ...at, actor: self, reason });
  }

  /** Null where the edge does not say. */
  async #useOf(row: PreviewRow, now: EpochMs): Promise<Use | null> {
    const { store, edges } = this.#world;
    const place = await findEnvironment(store.db, { product: row.product, environment: row.name });
    const live = place?.live_release_id ?? null;
    if (place === undefined || live === null) return null;
    const { counts } = edges.of((await releaseView(store.db, live, row.name)).spec.edge);
    const sample = counts.latest;
    if (sample === null) return null;
    const { services } = JSON.parse(place.traffic) as Traffic;
    const targets = Object.values<readonly TrafficTarget[]>(services).flat();
    const all = targets.flatMap(({ revision }) => sample.revisions[revision] ?? []);
    const sum = (of: (counters: EdgeCounters) => number): number => all.reduce((total, each) => total + of(each), 0);
    const [requests, inFlight] = [sum((each) => each.requests), sum((each) => each.inflight + each.webSockets)];
    const before = this.#seen.get(row.name);
    const isUsed = inFlight > 0 || (before !== undefined && before.requests !== requests);
    const recorded = lastUse(previewOf(row));
    const at = isUsed ? now : Math.max(before?.at ?? 0, recorded);
    this.#seen.set(row.name, { requests, inFlight, at });
    if (at - recorded >= chargeMs)
      await setPreview(store.db, { product: row.product, environment: row.name }, { asked_at: at });
    return { lastUse: at, inFlight };
  }

  /** Somebody has started what is to sleep: a control plane that looked a moment before it was recorded. */
  async #restAgain(row: PreviewRow): Promise<void> {
    const id = this.#resting.get(row.name);
    const status = id === undefined ? null : ((await this.#world.engine.get(id))?.status ?? null);
    if (status === "queued" || status === "running") return;
    const resting = { product: row.product, environment: row.name, actor: self, reason: row.reason };
    this.#resting.set(row.name, await restAgain(this.#world, resting));
  }

  async #wakeAsked(): Promise<void> {
    const asked = new Set(this.#world.edges.all().flatMap(({ counts }) => counts.latest?.asked ?? []));
    for (const service of asked) await this.#troubles.guarded(service, () => this.#wakeFor(service));
  }

  async #wakeFor(service: string): Promise<void> {
    const { store, clock } = this.#world;
    const row = (await store.db.selectFrom("preview").selectAll().where("phase", "=", "asleep").execute()).find(
      (each) => service.startsWith(`${each.product}/${each.name}/`),
    );
    if (row === undefined) return;
    const triedMs = this.#wokenAt.get(row.name) ?? Number.NEGATIVE_INFINITY;
    if (clock.monotonicMs() - triedMs < againMs) return;
    const reason = "somebody asks for it";
    const refused = await wake(this.#world, { product: row.product, environment: row.name, actor: self, reason });
    if (refused !== null) this.#troubles.say(service, refused);
  }
}
