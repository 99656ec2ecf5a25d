import { SlipwayError } from "../../core/errors/error.ts";
import type { EnvironmentName, ReleaseId, ServiceName } from "../../core/ids.ts";
import { whichInstance } from "../health/evidence.ts";
import type { World } from "../world.ts";
import { decideHealing } from "./decide.ts";
import type { Life } from "./life.ts";
import type { Healed } from "./workflow.ts";

export type RestartService = {
  readonly product: string;
  readonly environment: EnvironmentName;
  readonly release: ReleaseId;
  /** Null: of no service, so none is restarted. */
  readonly service: ServiceName | null;
  readonly rule: string;
  readonly why: string;
};

/**
 * Restarts what runs of a release's service, one instance after the other; the next one when the last is healthy again, and none
 * after one that does not become so. Repeated, it is held by the limit of each instance. Errors: RESTART_REFUSED.
 */
export async function restartService(world: World, asked: RestartService, signal: AbortSignal): Promise<void> {
  const refused: string[] = [];
  for (const life of await livesOf(world, asked)) {
    const { healing, begun } = await decideHealing(world, life, { is: "rule", rule: asked.rule, why: asked.why });
    if (begun === null) {
      refused.push(healing.reason);
      continue;
    }
    const { output } = await world.engine.ended(begun, signal);
    const healed = output as Healed | null;
    if (healed?.well !== true)
      throw refusal(
        `${asked.service} ${life.which}: ${healed?.says ?? "its restart broke off"}; the others were left alone`,
      );
  }
  if (refused.length > 0) throw refusal(refused.join("; "));
}

async function livesOf(world: World, { product, environment, release, service }: RestartService): Promise<Life[]> {
  if (service === null) throw refusal("the rule names no service");
  const found = (await world.targets.observe({ environment, service })).filter((status) => status.release === release);
  const lives = found.flatMap(({ id: revision, instances }) =>
    instances.flatMap(({ id: instance, index, host, state, startedAt, lastSeen }): Life[] => {
      if (state !== "running" || startedAt === null || lastSeen !== undefined) return [];
      const which = whichInstance({ index, host });
      return [{ product, environment, service, release, revision, instance, which, startedAt }];
    }),
  );
  if (lives.length === 0) throw refusal(`no instance of ${service} runs`);
  return lives;
}

function refusal(message: string): SlipwayError {
  return new SlipwayError("RESTART_REFUSED", { message });
}
