import type { Evidence } from "../../core/errors/error.ts";
import type { EpochMs, Json } from "../../core/ids.ts";
import { defaultHealing, type Healing, type Hold, heal, restartAsked } from "../../core/recover/healing.ts";
import type { Trx } from "../../ports/store.ts";
import { leaveRequest } from "../deploy/requests.ts";
import { appendHistory } from "../history.ts";
import { releaseView } from "../release/read.ts";
import type { World } from "../world.ts";
import { holdNow, type Life, lifeOf } from "./life.ts";
import { healKind } from "./workflow.ts";

/** What speaks for doing something: it is seen to be unhealthy, or a rule wants it restarted. */
export type Cause =
  | { readonly is: "unhealthy"; readonly sickForMs: number; readonly saw: string }
  | { readonly is: "rule"; readonly rule: string; readonly why: string };

/** `begun` is the workflow that does it, where it takes one. `isOver`: about this life nothing is left to decide. */
export type Decided = { readonly healing: Healing; readonly begun: string | null; readonly isOver: boolean };

const decisions = ["instance.restart", "instance.given-up"];
const outcomes = ["instance.restarted", "instance.restart-failed"];
/** Clocks of hosts differ from ours, and rows are few. */
const slackMs = 3_600_000;

/**
 * Decides what is done about one life, and records it with its reason, together with the workflow or the request that does it, in one
 * transaction. There is one decision for each life, so whoever asks again, also after a crash, is told to wait.
 */
export async function decideHealing(world: World, life: Life, cause: Cause): Promise<Decided> {
  const { store, clock, engine, changes, newId, log } = world;
  const now = clock.now();
  const { spec } = await releaseView(store.db, life.release, life.environment);
  const policy = spec.services[life.service]?.health.healing ?? defaultHealing;
  const { decided, go } = await store.db.transaction().execute(async (trx) => {
    const since = Math.min(now - policy.withinMs, life.startedAt) - slackMs;
    const past = await pastOf(trx, life, { since, busySince: now - policy.withinMs });
    if (past.lives.has(lifeOf(life))) return { decided: known, go: null };
    const hold: Hold =
      past.busy === null ? await holdNow(trx, life) : { is: "owned", why: `${past.busy} is being restarted` };
    const sick = { service: life.service, which: life.which, restartedAt: past.restartedAt };
    const healing =
      cause.is === "rule"
        ? restartAsked(sick, { policy, hold, why: cause.why }, now)
        : heal({ ...sick, sickForMs: cause.sickForMs, saw: cause.saw }, policy, hold, now);
    if (healing.do === "wait") return { decided: { healing, begun: null, isOver: false }, go: null };
    const actor = cause.is === "rule" ? `rule ${cause.rule}` : healer;
    const { product, environment, release } = life;
    await appendHistory(trx, {
      at: now,
      product,
      environment,
      release,
      ...(healing.do === "roll-back" ? { deployment: healing.deployment } : {}),
      event: healing.do === "restart" ? "instance.restart" : "instance.given-up",
      actor,
      reason: healing.reason,
      evidence: evidenceOf(life, healing),
    });
    if (healing.do === "roll-back") {
      const { deployment, reason } = healing;
      const id = `req_${newId()}`;
      await leaveRequest(trx, { id, deployment_id: deployment, kind: "fail", actor, reason, created_at: now });
      return { decided: { healing, begun: null, isOver: true }, go: null };
    }
    const begun = `heal/${lifeOf(life)}`;
    const input = { ...life, do: healing.do, reason: healing.reason, actor, decidedAt: now } satisfies Json;
    const lockKey = `heal/${product}/${environment}/${life.service}`;
    return {
      decided: { healing, begun, isOver: true },
      go: await engine.startWithin(trx, healKind, begun, input, healing.do === "restart" ? { lockKey } : {}),
    };
  });
  await go?.();
  if (decided.healing.do !== "wait") {
    log.info(`healing.${decided.healing.do}`, { environment: life.environment, reason: decided.healing.reason });
    changes.announce();
  }
  return decided;
}

const known: Decided = {
  healing: { do: "wait", reason: "it has been decided on already" },
  begun: null,
  isOver: true,
};

/** Who acts when no rule and no person has asked. */
const healer = "slipway";

function evidenceOf(life: Life, healing: Healing): Evidence[] {
  const what = { restart: "restart it", "roll-back": "take the release back", page: "tell everybody", wait: "" };
  return [
    ["instance", life.instance],
    ["service", life.service],
    ["life", lifeOf(life)],
    ["does", what[healing.do]],
  ];
}

type Past = {
  readonly restartedAt: readonly EpochMs[];
  readonly lives: ReadonlySet<string>;
  /** Another instance of the service whose restart has not ended yet. */
  readonly busy: string | null;
};

/** What was decided on this instance before, whatever process it was then, and on the others of its service. */
async function pastOf(
  trx: Trx,
  { product, environment, instance, service }: Life,
  { since, busySince }: { readonly since: EpochMs; readonly busySince: EpochMs },
): Promise<Past> {
  const rows = await trx
    .selectFrom("history")
    .select(["at", "event", "evidence"])
    .where("product", "=", product)
    .where("environment", "=", environment)
    .where("event", "in", [...decisions, ...outcomes])
    .where("at", ">", since)
    .orderBy("id")
    .execute();
  const restartedAt: EpochMs[] = [];
  const lives = new Set<string>();
  const open = new Set<string>();
  for (const { at, event, evidence } of rows) {
    const said = new Map(JSON.parse(evidence) as [string, string][]);
    const whose = said.get("instance") ?? "";
    // One that never ended, by a bug, holds up the others for a while, and not for ever.
    if (event === "instance.restart" && said.get("service") === service && at > busySince) open.add(whose);
    else open.delete(whose);
    if (whose !== instance || outcomes.includes(event)) continue;
    lives.add(said.get("life") ?? "");
    if (event === "instance.restart") restartedAt.push(at);
  }
  return { restartedAt, lives, busy: [...open][0] ?? null };
}
