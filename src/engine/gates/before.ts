import type { GateInput } from "../../core/gates/decide.ts";
import { type Arrival, type Life, liveSpans, type RuleTurn, troubleSpans } from "../../core/gates/life.ts";
import type { EnvironmentName, ReleaseId } from "../../core/ids.ts";
import { standingOf } from "../../core/release/standing.ts";
import type { Db, Trx } from "../../ports/store.ts";
import { attemptsIn } from "../commands/attempts.ts";
import { releaseView } from "../release/read.ts";
import type { World } from "../world.ts";

type At = { readonly product: string; readonly environment: EnvironmentName; readonly release: ReleaseId };

/** How a release stands in the environment that it is promoted from, and how it has been there. */
export async function beforeOf(
  world: Pick<World, "standings">,
  db: Trx | Db,
  at: At,
): Promise<NonNullable<GateInput["before"]>> {
  const { product, environment, release } = at;
  const standing = standingOf(release, await attemptsIn(db, product, environment));
  return { environment, standing, life: await lifeOf(world, db, at) };
}

async function lifeOf(world: Pick<World, "standings">, db: Trx | Db, at: At): Promise<Life> {
  const live = liveSpans(at.release, await arrivalsIn(db, at));
  if (live.length === 0) return { live, troubles: [] };
  return { live, troubles: troubleSpans(await turnsOf(db, at), (rule) => isWell(world, at, rule)) };
}

async function arrivalsIn(db: Trx | Db, { product, environment }: At): Promise<readonly Arrival[]> {
  const rows = await db
    .selectFrom("deployment")
    .select(["release_id", "stable_id", "phase", "live_at", "restored_at", "ended_at"])
    .where("product", "=", product)
    .where("environment", "=", environment)
    .where("live_at", "is not", null)
    .execute();
  return rows.flatMap(({ release_id: release, stable_id: stable, phase, live_at, restored_at, ended_at }) =>
    live_at === null ? [] : [{ release, stable, phase, liveAt: live_at, restoredAt: restored_at, endedAt: ended_at }],
  );
}

/** Of its rules there; those that only write down what they would do are no trouble. */
async function turnsOf(db: Trx | Db, { product, environment, release }: At): Promise<readonly RuleTurn[]> {
  const { spec } = await releaseView(db, release, environment);
  const rows = await db
    .selectFrom("history")
    .select(["at", "actor", "event"])
    .where("product", "=", product)
    .where("environment", "=", environment)
    .where("release_id", "=", release)
    .where("event", "in", ["rule.fired", "rule.resolved"])
    .orderBy("id")
    .execute();
  return rows
    .map(({ at, actor, event }): RuleTurn => {
      return { at, rule: actor.replace(/^rule /, ""), is: event === "rule.fired" ? "fired" : "resolved" };
    })
    .filter(({ rule }) => spec.rules?.[rule]?.dryRun !== true);
}

/** Looked at since this control plane has begun, and neither broken nor firing. */
function isWell({ standings }: Pick<World, "standings">, { environment, release }: At, rule: string): boolean {
  const look = standings.get(`${environment}/${release}/${rule}`)?.look;
  return look !== undefined && look.next.firingSince === null && look.next.brokenSince === null;
}
