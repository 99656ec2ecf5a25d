import { SlipwayError } from "../../core/errors/error.ts";
import type { EnvironmentName, ServiceName } from "../../core/ids.ts";
import { instancesNow, isLone } from "../../core/scale/count.ts";
import { findEnvironment } from "../environment.ts";
import { releaseView } from "../release/read.ts";
import { admit } from "../scale/admit.ts";
import type { World } from "../world.ts";

export type Scale = {
  readonly product: string;
  readonly environment: EnvironmentName;
  readonly service: ServiceName;
  /** Null gives the number back to the config and to what is measured. */
  readonly instances: number | null;
  readonly actor: string;
  readonly reason: string;
};

export type Scaled = { readonly from: number; readonly to: number; readonly operation: string | null };

/**
 * Sets how many instances of a live service run, for this release and those to come, until somebody says otherwise. Begins to bring
 * it about. May be outside the limits of the config, which are the autoscaler's. Errors: UNKNOWN_ENVIRONMENT, UNKNOWN_SERVICE,
 * NOT_SCALABLE, DEPLOYMENT_IN_PROGRESS.
 */
export async function scale(world: World, input: Scale): Promise<Scaled> {
  const { service, instances, actor } = input;
  if (instances !== null) await mustBeAble(world, input, instances);
  const admitted = await world.store.db.transaction().execute((trx) =>
    admit(world, trx, {
      ...input,
      onlyOf: null,
      // Given back, there are as many as now, as far as the config lets that be.
      to: (known, spec, held) =>
        instances ?? instancesNow(spec, known, held === undefined ? undefined : { ...held, mode: "auto" }),
      mode: instances === null ? "auto" : "hand",
      past: null,
      actor,
      reason: (from, to) => {
        const what = from === to ? `stays at ${to}` : `${from} → ${to}`;
        const who = instances === null ? ", and follows the config again" : ", by hand";
        return `${what}${who}${input.reason === "" ? "" : `: ${input.reason}`}`;
      },
    }),
  );
  if (admitted.is === "refused") {
    const code = {
      "nothing-live": "UNKNOWN_ENVIRONMENT",
      busy: "DEPLOYMENT_IN_PROGRESS",
      "unknown-service": "UNKNOWN_SERVICE",
    } as const;
    throw new SlipwayError(code[admitted.because], {
      message: `${service} cannot be scaled now: ${admitted.why}`,
      ...(admitted.because === "busy" ? { hint: "wait for it, then say it again" } : {}),
    });
  }
  await admitted.go();
  world.changes.announce();
  const { from, to, operation } = admitted;
  return { from, to, operation };
}

async function mustBeAble(
  world: World,
  { product, environment, service: name }: Scale,
  instances: number,
): Promise<void> {
  const live = (await findEnvironment(world.store.db, { product, environment }))?.live_release_id ?? null;
  if (live === null) return;
  const { spec } = await releaseView(world.store.db, live, environment);
  const service = spec.services[name];
  if (service === undefined || !isLone(spec, service) || instances <= service.instances) return;
  throw new SlipwayError("NOT_SCALABLE", {
    message: `a second instance of ${name} cannot run beside the first: it has a port of its host, writes to a volume, or is said to stop first`,
  });
}
