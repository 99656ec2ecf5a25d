import { ForgeProblem } from "../../core/forge/problem.ts";
import { nextTry } from "../../core/forge/retry.ts";
import type { EpochMs } from "../../core/ids.ts";
import type { DeploymentRow } from "../../ports/tables.ts";
import { findEnvironment } from "../environment.ts";
import { policiesIn } from "../gates/read.ts";
import { releaseFacts } from "../release/read.ts";
import { Rounds } from "../rounds.ts";
import { Troubles } from "../troubles.ts";
import type { World } from "../world.ts";
import type { Forges } from "./forges.ts";

/** How often it is looked whether a forge is to be asked, and how often it is asked of one commit. */
const lookMs = 1_000;
const askMs = 15_000;
/** A word of the forge that something has changed is worth a question, but not each of a hundred. */
const hintMs = 2_000;

type Commit = { readonly product: string; readonly commit: string };
type Asked = { readonly at: EpochMs; readonly dueAt: EpochMs; readonly failures: number };

/**
 * Asks the forge how the checks of a commit are, as long as a deployment waits for them.
 */
export class CheckDesk {
  readonly #world: World;
  readonly #forges: Forges;
  readonly #rounds: Rounds;
  readonly #troubles: Troubles;
  readonly #asked = new Map<string, Asked & Commit>();

  constructor(world: World, forges: Forges) {
    this.#world = world;
    this.#forges = forges;
    this.#rounds = new Rounds(world.clock, lookMs, () => this.#look());
    this.#troubles = new Troubles(this.#rounds.signal, (what, reason) =>
      world.log.warn("forge.checks-not-known", { what, reason }),
    );
  }

  open(): void {
    this.#rounds.open();
  }

  close(): Promise<void> {
    return this.#rounds.close();
  }

  async #look(): Promise<void> {
    const wanted = await this.#troubles.guarded("checks", () => this.#wanted());
    if (wanted === null) return;
    const { seenChecks, clock } = this.#world;
    for (const [key, { product, commit }] of this.#asked) {
      if (wanted.has(key)) continue;
      this.#asked.delete(key);
      seenChecks.forget(product, commit);
    }
    const hinted = seenChecks.takeHint();
    for (const [key, at] of wanted) {
      const asked = this.#asked.get(key);
      const due = asked === undefined ? 0 : hinted && asked.failures === 0 ? asked.at + hintMs : asked.dueAt;
      if (clock.now() >= due) await this.#troubles.guarded(key, () => this.#ask(key, at));
    }
  }

  /** The commits of deployments that wait for checks. */
  async #wanted(): Promise<Map<string, Commit>> {
    const { db } = this.#world.store;
    const rows = await db.selectFrom("deployment").selectAll().where("phase", "=", "gated").execute();
    const wanted = new Map<string, Commit>();
    for (const row of rows) {
      if (!(await this.#hasChecks(row))) continue;
      const { commit_hash: commit } = await releaseFacts(db, row.release_id);
      wanted.set(`${row.product}/${commit}`, { product: row.product, commit });
    }
    return wanted;
  }

  async #hasChecks({ product, environment, release_id: release }: DeploymentRow): Promise<boolean> {
    const { db } = this.#world.store;
    const live = (await findEnvironment(db, { product, environment }))?.live_release_id ?? null;
    return (await policiesIn(db, { release, environment, live })).some(({ gates }) => gates.checks !== undefined);
  }

  async #ask(key: string, at: Commit): Promise<void> {
    const { product, commit } = at;
    const { clock, changes, seenChecks } = this.#world;
    const before = seenChecks.of(product, commit);
    const asked = { ...at, at: clock.now() };
    try {
      const opened = await this.#forges.of(product);
      if (opened === null)
        throw new ForgeProblem("refused", "no forge is in force; set triggers.report, then: slipway triggers apply");
      const all = await opened.forge.checks(commit, this.#rounds.signal);
      seenChecks.note(product, commit, { at: clock.now(), all, trouble: null });
      this.#asked.set(key, { ...asked, dueAt: clock.now() + askMs, failures: 0 });
      if (before.at === null || JSON.stringify(before.all) !== JSON.stringify(all)) changes.announce();
    } catch (error) {
      if (this.#rounds.signal.aborted || !(error instanceof ForgeProblem)) throw error;
      const now = clock.now();
      const failures = (this.#asked.get(key)?.failures ?? 0) + 1;
      seenChecks.note(product, commit, { ...before, trouble: error.message });
      this.#asked.set(key, { ...asked, dueAt: nextTry(error, { failures, since: now, now }) ?? now + askMs, failures });
      if (before.trouble !== error.message) changes.announce();
      throw error;
    }
  }
}
