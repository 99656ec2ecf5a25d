import { differences } from "../../core/deploy/plan.ts";
import { isSlipwayError, SlipwayError } from "../../core/errors/error.ts";
import type { EnvironmentName, EpochMs, ReleaseId, RevisionId } from "../../core/ids.ts";
import { madeOf } from "../../core/product/accessory-health.ts";
import type { AccessorySpec, EnvironmentSpec } from "../../core/product/spec.ts";
import { accessoryKey, type ReleaseArtifacts } from "../../core/release/artifacts.ts";
import type { InstanceStatus, RevisionStatus } from "../../ports/target.ts";
import { accessorySpec } from "../deploy/revision-spec.ts";
import { findEnvironment } from "../environment.ts";
import { artifactsOf, releaseRow, releaseView } from "../release/read.ts";
import type { World } from "../world.ts";

/** An accessory as it is in an environment. */
export type AccessoryState = {
  readonly environment: EnvironmentName;
  readonly name: string;
  /** Of the config that is live. */
  readonly image: string;
  /** What runs; null when nothing of it is there. */
  readonly revision: RevisionId | null;
  readonly state: string;
  readonly host: string | null;
  readonly since: EpochMs | null;
  readonly restarts: number;
  readonly volumes: readonly string[];
  /** How what runs differs from what is live: it is kept until somebody replaces it. Empty: it does not. */
  readonly differs: readonly string[];
};

type At = { readonly product: string; readonly environment: EnvironmentName };

/** All accessories of what is live in an environment. `running` is what its target shows. */
export async function accessoriesIn(
  world: Pick<World, "store" | "targets">,
  at: At,
  running: readonly RevisionStatus[],
): Promise<readonly AccessoryState[]> {
  const live = (await findEnvironment(world.store.db, at))?.live_release_id ?? null;
  if (live === null) return [];
  const { spec } = await releaseView(world.store.db, live, at.environment);
  const artifacts = artifactsOf(await releaseRow(world.store.db, live));
  const isAllSeen = world.targets.hosts(spec.target).every(({ awayForMs }) => awayForMs === null);
  return Promise.all(
    Object.values(spec.accessories).map(async (accessory): Promise<AccessoryState> => {
      const there = runningOf(running, { environment: at.environment, name: accessory.name });
      const [instance] = there?.instances ?? [];
      return {
        environment: at.environment,
        name: accessory.name,
        image: accessory.image,
        revision: there?.id ?? null,
        // One that docker compose has made is not ours to look at: a deployment has seen that it runs.
        state: stateOf(instance, accessory, { isAllSeen }),
        host: instance?.host ?? null,
        since: instance?.startedAt ?? null,
        restarts: instance?.restarts ?? 0,
        volumes: accessory.volumes.map(({ source }) => source),
        differs: there === undefined ? [] : await differencesOf(world, there, { accessory, artifacts }),
      };
    }),
  );
}

function stateOf(
  instance: InstanceStatus | undefined,
  { composed }: AccessorySpec,
  { isAllSeen }: { readonly isAllSeen: boolean },
): string {
  if (instance === undefined && composed !== undefined) return "made by docker compose";
  // It may be on the host that does not answer.
  if (instance === undefined) return isAllSeen ? "absent" : "not seen";
  return instance.lastSeen === undefined ? instance.state : "away";
}

/** Of those under its name, the one that runs; while one is replaced, the other stands stopped beside it. */
export function runningOf(
  running: readonly RevisionStatus[],
  { environment, name }: { readonly environment: EnvironmentName; readonly name: string },
): RevisionStatus | undefined {
  const all = running.filter((status) => status.environment === environment && status.service === name);
  return all.find(({ wanted }) => wanted > 0) ?? all[0];
}

/**
 * In words, how an accessory that runs differs from a wanted one. Without artifacts, because the release is not made yet, a newer image
 * of the same name is not known.
 */
export async function differencesOf(
  world: Pick<World, "store">,
  there: RevisionStatus,
  wanted: { readonly accessory: AccessorySpec; readonly artifacts: ReleaseArtifacts | null },
): Promise<readonly string[]> {
  const before = await specOf(world, there);
  if (before === null) return ["what it was made of is not known any more"];
  const keys = differences(madeOf(before.accessory), madeOf(wanted.accessory));
  if (keys.length > 0 || wanted.artifacts === null) return keys;
  const key = accessoryKey(wanted.accessory.name);
  const [old, fresh] = [before.artifacts[key]?.image, wanted.artifacts[key]?.image];
  return old?.digest === fresh?.digest ? [] : [`image: a newer ${wanted.accessory.image}`];
}

/** What the release that it was made for says of it; null where nobody knows. */
async function specOf(
  { store }: Pick<World, "store">,
  { release, environment, service }: Pick<RevisionStatus, "release" | "environment" | "service">,
): Promise<{ readonly accessory: AccessorySpec; readonly artifacts: ReleaseArtifacts } | null> {
  try {
    const { spec } = await releaseView(store.db, release, environment);
    const accessory = spec.accessories[service];
    return accessory === undefined ? null : { accessory, artifacts: artifactsOf(await releaseRow(store.db, release)) };
  } catch (error) {
    if (isSlipwayError(error)) return null;
    throw error;
  }
}

export type Wanted = {
  readonly release: ReleaseId;
  readonly spec: EnvironmentSpec;
  readonly accessory: AccessorySpec;
};

/** The accessory as what is live wants it. Errors: UNKNOWN_ENVIRONMENT, UNKNOWN_ACCESSORY. */
export async function wantedAccessory(
  world: Pick<World, "store">,
  at: At & { readonly name: string },
): Promise<Wanted> {
  const live = (await findEnvironment(world.store.db, at))?.live_release_id ?? null;
  if (live === null) {
    throw new SlipwayError("UNKNOWN_ENVIRONMENT", {
      message: `nothing is live in ${at.environment}, so it has no accessories`,
      hint: `run: slipway deploy --env ${at.environment}`,
    });
  }
  const { spec } = await releaseView(world.store.db, live, at.environment);
  const accessory = spec.accessories[at.name];
  if (accessory !== undefined) return { release: live, spec, accessory };
  const known = Object.keys(spec.accessories).join(", ");
  throw new SlipwayError("UNKNOWN_ACCESSORY", {
    message: `${at.environment} has no accessory ${at.name}`,
    evidence: [["it has", known === "" ? "none" : known]],
  });
}

/** The very one that runs, as its release says it: to stop it, and to start it again. */
export async function specThatRuns(world: World, there: RevisionStatus, wanted: Wanted) {
  const before = await specOf(world, there);
  const release = before === null ? wanted.release : there.release;
  const view = await releaseView(world.store.db, release, there.environment);
  const spec = await accessorySpec(world, view, before?.accessory ?? wanted.accessory);
  return { ...spec, id: there.id, configDigest: there.configDigest };
}
