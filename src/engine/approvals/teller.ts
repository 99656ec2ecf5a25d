import { self } from "../../core/actor.ts";
import { decideGates } from "../../core/gates/decide.ts";
import type { EpochMs } from "../../core/ids.ts";
import type { Notice } from "../../core/judge/rule/notice.ts";
import type { DeploymentRow } from "../../ports/tables.ts";
import { gateInput } from "../gates/read.ts";
import { appendHistory } from "../history.ts";
import { tellPeople } from "../recover/tell.ts";
import { releaseFacts } from "../release/read.ts";
import { Rounds } from "../rounds.ts";
import { Troubles } from "../troubles.ts";
import type { World } from "../world.ts";

const lookMs = 1_000;
/** Who could not be told is told again after so long. */
const againMs = 30_000;
const sendMs = 20_000;
const told = "approval.asked";

/**
 * Tells those whom `gates.approval.notify` names that a deployment waits for an approval, once a deployment. That it was told is in the
 * history; one that dies in between tells it again. Nothing waits for it.
 */
export class ApprovalTeller {
  readonly #world: World;
  readonly #rounds: Rounds;
  readonly #troubles: Troubles;
  readonly #triedAt = new Map<string, EpochMs>();

  constructor(world: World) {
    this.#world = world;
    this.#rounds = new Rounds(world.clock, lookMs, () => this.#look());
    this.#troubles = new Troubles(this.#rounds.signal, (what, reason) =>
      world.log.warn("approval.not-told", { what, reason }),
    );
  }

  open(): void {
    this.#rounds.open();
  }

  close(): Promise<void> {
    return this.#rounds.close();
  }

  async #look(): Promise<void> {
    const { db } = this.#world.store;
    const waiting = await this.#troubles.guarded("approvals", () =>
      db
        .selectFrom("deployment")
        .selectAll()
        .where("phase", "=", "gated")
        .where(
          "id",
          "not in",
          db
            .selectFrom("history")
            .select("deployment_id")
            .where("event", "=", told)
            .where("deployment_id", "is not", null)
            .$castTo<{ deployment_id: DeploymentRow["id"] }>(),
        )
        .execute(),
    );
    const ids = new Set((waiting ?? []).map(({ id }) => id as string));
    for (const id of this.#triedAt.keys()) if (!ids.has(id)) this.#triedAt.delete(id);
    const now = this.#world.clock.now();
    for (const row of waiting ?? []) {
      if (now < (this.#triedAt.get(row.id) ?? 0) + againMs) continue;
      await this.#troubles.guarded(row.id, () => this.#tell(row));
    }
  }

  async #tell(row: DeploymentRow): Promise<void> {
    const { store, clock } = this.#world;
    const input = await gateInput(this.#world, store.db, row);
    const names = [...new Set(input.policies.flatMap(({ gates }) => gates.approval?.notify ?? []))];
    const reading = decideGates(input, clock.now()).readings.find(({ gate, open }) => gate === "approval" && !open);
    if (names.length === 0 || reading === undefined) return;
    this.#triedAt.set(row.id, clock.now());
    const { number, version } = await releaseFacts(store.db, row.release_id);
    const notice: Notice = {
      is: "fired",
      product: row.product,
      environment: row.environment,
      rule: "approval",
      text: `slipway approve ${row.id}`,
      severity: "info",
      reason: `r${number} ${version}, asked for by ${row.created_by}, ${reading.says}`,
      actions: [],
      startedAt: row.created_at,
      endedAt: null,
    };
    const signal = AbortSignal.any([this.#rounds.signal, AbortSignal.timeout(sendMs)]);
    await tellPeople(this.#world, { release: row.release_id, names }, notice, signal);
    const { product, environment, id: deployment, release_id: release } = row;
    const what = { event: told, actor: self, reason: `told ${names.join(", ")}: ${reading.says}` };
    await store.db
      .transaction()
      .execute((trx) => appendHistory(trx, { at: clock.now(), product, environment, deployment, release, ...what }));
  }
}
