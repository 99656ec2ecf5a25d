import type { Deployment } from "../../core/deploy/deployment.ts";
import { isSlipwayError, reasonOf, SlipwayError } from "../../core/errors/error.ts";
import type { DeploymentId, EpochMs } from "../../core/ids.ts";
import type { RuleLook } from "../../core/judge/rule/evaluate.ts";
import type { Notice } from "../../core/judge/rule/notice.ts";
import type { Action, Rule } from "../../core/judge/rule/rule.ts";
import type { DeploymentRow } from "../../ports/tables.ts";
import { ask } from "../commands/ask.ts";
import { rollback } from "../commands/rollback.ts";
import { deploymentRow, isGoingBack } from "../deploy/record.ts";
import { setFlag } from "../flags/flags.ts";
import { appendHistory } from "../history.ts";
import { restartService } from "../recover/restart-service.ts";
import { tellPeople } from "../recover/tell.ts";
import { untilChange } from "../until-change.ts";
import type { World } from "../world.ts";
import type { RulePlace } from "./places.ts";

export type Turn = {
  readonly place: RulePlace;
  readonly rule: Rule;
  readonly look: RuleLook;
  readonly firedAt: EpochMs;
};

const attempts = 5;
const backoffMs = 1_000;
/** While another deployment is under way. Rules are looked at as often. */
const againMs = 1_000;

export function actionText(action: Action): string {
  switch (action.do) {
    case "notify":
      return `notify ${action.to}`;
    case "suggest-scale-up":
      return "suggest scale up";
    case "flag-off":
      return `flag off ${action.flag}`;
    default:
      return action.do;
  }
}

/**
 * Does what a rule asks for when it has turned. Only telling is done at its end. Each action is tried a few times; one that
 * cannot be done is in the history, and keeps no other from being done. Never rejects.
 */
export async function perform(world: World, turn: Turn, signal: AbortSignal): Promise<void> {
  const { rule, look } = turn;
  const actions = look.turned === "fired" ? rule.actions : rule.actions.filter(isTelling);
  await Promise.all(actions.map((action) => attempt(world, turn, action, signal)));
}

const isTelling = ({ do: what }: Action) => what === "notify" || what === "page";

async function attempt(world: World, turn: Turn, action: Action, signal: AbortSignal): Promise<void> {
  for (let count = 1; ; count += 1) {
    try {
      await act(world, turn, action, signal);
      return;
    } catch (error) {
      if (signal.aborted) return;
      const mayHelp = isSlipwayError(error) ? error.retryable : true;
      if (mayHelp && count < attempts) {
        await world.clock.sleep(backoffMs * 2 ** (count - 1), signal).catch(() => {});
        continue;
      }
      await recordFailed(world, turn, action, error);
      return;
    }
  }
}

async function act(world: World, turn: Turn, action: Action, signal: AbortSignal): Promise<void> {
  const { place, rule, look } = turn;
  const actor = `rule ${rule.name}`;
  switch (action.do) {
    case "rollback":
      return takeBack(world, turn, signal);
    case "pause":
      if (place.underWay !== null)
        await ask(world, { deployment: place.underWay, kind: "pause", actor, reason: look.reason });
      return;
    case "notify":
      return tell(world, turn, [action.to], signal);
    case "page":
      return tell(world, turn, null, signal);
    case "flag-off": {
      const { product, environment } = place;
      await setFlag(world, {
        product,
        environment,
        flag: action.flag,
        setting: { is: "off" },
        actor,
        reason: look.reason,
      });
      return;
    }
    case "restart":
      return restartService(
        world,
        { ...place, service: rule.condition.service, rule: rule.name, why: look.reason },
        signal,
      );
    case "suggest-scale-up":
      // That it fired, and what it suggests, is in the history already.
      return;
  }
}

/**
 * Under way, the deployment fails and goes back by its own state machine. Once its watch is over, its end is awaited and the
 * environment goes back to its last good release; where that turns out bad, to the one before, for as long as the rule fires. What is
 * live because somebody went back to it is not taken back once more: what fails then is not the release.
 */
async function takeBack(world: World, turn: Turn, signal: AbortSignal): Promise<void> {
  const { place, rule, look } = turn;
  const actor = `rule ${rule.name}`;
  if (place.isWayBack)
    throw new SlipwayError("NOTHING_TO_ROLL_BACK", {
      message: "what is live has just been gone back to; going back further would not mend it, so a person has to look",
    });
  if (place.underWay !== null) {
    const { underWay: deployment } = place;
    await ask(world, { deployment, kind: "fail", actor, reason: look.reason }).catch((error: unknown) => {
      // What it waits for below says whether it has ended well before it could be asked.
      if (!isSlipwayError(error) || error.code !== "NOT_CANCELLABLE") throw error;
    });
    if ((await outcome(world, deployment, signal)) !== "succeeded") return;
  }
  const { product, environment, release } = place;
  const asked = { product, environment, to: null, force: false, actor, reason: look.reason, onlyFrom: release };
  for (;;) {
    try {
      const end = await ended(world, await rollback(world, asked), signal);
      // What has failed is known to be bad by now, so the next try has another one to go to, or none.
      if (end === "succeeded" || end === "cancelled" || !isFiring(world, turn)) return;
    } catch (error) {
      // What comes next may be the remedy. Where it is not, what is live still fails when that has ended.
      const isBusy = isSlipwayError(error) && error.code === "DEPLOYMENT_IN_PROGRESS";
      if (!isBusy || !isFiring(world, turn)) throw error;
      await world.clock.sleep(againMs, signal);
    }
  }
}

/** As of the last look. */
function isFiring({ standings }: World, { place, rule }: Turn): boolean {
  return [...standings.values()].some(
    (standing) =>
      standing.rule.name === rule.name &&
      standing.place.environment === place.environment &&
      standing.place.release === place.release &&
      standing.look.next.firingSince !== null,
  );
}

/** How a deployment ends that was asked to fail; at once where it is on its way back. */
function outcome(world: World, deployment: DeploymentId, signal: AbortSignal): Promise<string> {
  return phaseWhen(world, deployment, (row) => row.ended_at !== null || isGoingBack({ is: phaseOf(row) }), signal);
}

function ended(world: World, deployment: DeploymentId, signal: AbortSignal): Promise<string> {
  return phaseWhen(world, deployment, ({ ended_at }) => ended_at !== null, signal);
}

const phaseOf = ({ phase }: Pick<DeploymentRow, "phase">) => phase as Deployment["phase"]["is"];

/** Its phase as soon as it is so. */
async function phaseWhen(
  world: World,
  deployment: DeploymentId,
  isSo: (row: DeploymentRow) => boolean,
  signal: AbortSignal,
): Promise<string> {
  for (;;) {
    const change = untilChange(world, signal);
    try {
      const row = await deploymentRow(world.store.db, deployment);
      if (isSo(row)) return row.phase;
      await change.wait();
    } finally {
      change.release();
    }
  }
}

/** Null tells everybody. */
async function tell(world: World, turn: Turn, names: readonly string[] | null, signal: AbortSignal): Promise<void> {
  const { place, rule, look, firedAt } = turn;
  const notice: Notice = {
    is: look.turned ?? "fired",
    product: place.product,
    environment: place.environment,
    rule: rule.name,
    text: rule.text,
    severity: rule.severity,
    reason: look.reason,
    actions: rule.actions.filter((action) => !isTelling(action)).map(actionText),
    startedAt: firedAt,
    endedAt: look.turned === "resolved" ? world.clock.now() : null,
  };
  await tellPeople(world, { release: place.release, names }, notice, signal);
}

async function recordFailed(world: World, { place, rule }: Turn, action: Action, error: unknown): Promise<void> {
  const { store, clock, log, changes } = world;
  const reason = `${actionText(action)} was not done: ${reasonOf(error)}`;
  log.warn("rule.action-failed", { environment: place.environment, rule: rule.name, reason });
  const { product, environment, release } = place;
  await store.db
    .transaction()
    .execute((trx) =>
      appendHistory(trx, {
        at: clock.now(),
        product,
        environment,
        release,
        event: "rule.action-failed",
        actor: `rule ${rule.name}`,
        reason,
      }),
    )
    .catch((cause: unknown) => log.error("rule.not-recorded", { reason: reasonOf(cause) }));
  changes.announce();
}
