import { type CiFacts, refOf } from "../../core/ci/facts.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import type { DeploymentId, EnvironmentName, ReleaseId, RunId } from "../../core/ids.ts";
import type { ParameterValue } from "../../core/pipeline/parameter.ts";
import type { TriggerEventRow } from "../../ports/tables.ts";
import { recordEvents } from "../triggers/record.ts";
import type { World } from "../world.ts";
import { hasPromoted } from "./promote.ts";
import type { CiSession } from "./session.ts";

/** What came of what a job has asked for; ids as soon as they are known. */
export type CiBegun = {
  readonly id: string;
  readonly phase: TriggerEventRow["phase"];
  readonly reason: string;
  readonly run: RunId | null;
  readonly release: ReleaseId | null;
  readonly deployment: DeploymentId | null;
};

type Asked = {
  readonly environment: EnvironmentName;
  readonly facts: CiFacts;
  /** The same for one question that is asked again. */
  readonly key: string;
  /** Of its run. */
  readonly parameters: Readonly<Record<string, ParameterValue>>;
};

/**
 * Begins what a push would: the commit is fetched from where the triggers in force say, goes through its run, and is deployed. The same
 * key begins nothing twice. Errors: USAGE, NOT_FOUND.
 */
export async function beginFromCi(world: World, session: CiSession, asked: Asked): Promise<CiBegun> {
  const { environment, facts, key, parameters } = asked;
  const { product, subject, actor } = session;
  const at = refOf(facts);
  if (at === null)
    throw new SlipwayError("USAGE", {
      message: "the CI names no branch, tag or pull request that its commit could be fetched by",
    });
  const heard = { product, source: "ci", delivery: `${subject} ${key}`.slice(0, 400), digest: null } as const;
  const [noted] = await recordEvents(world, heard, [{ is: "ci", at, deploy: environment, facts, actor, parameters }]);
  if (noted === undefined) throw new Error("an event was not recorded");
  return ciBegun(world, session, noted.id);
}

/** Of one that this job, or another of its subject, has asked for. Errors: NOT_FOUND. */
export async function ciBegun({ store }: World, { product, subject }: CiSession, id: string): Promise<CiBegun> {
  const row = await store.db
    .selectFrom("trigger_event")
    .selectAll()
    .where("id", "=", id)
    .where("product", "=", product)
    .where("source", "=", "ci")
    .executeTakeFirst();
  if (row === undefined || !row.delivery.startsWith(`${subject} `))
    throw new SlipwayError("NOT_FOUND", { message: `this job has begun no ${id}` });
  const { phase, reason, run_id, release_id, deployment_id } = row;
  return { id, phase, reason, run: run_id, release: release_id, deployment: deployment_id };
}

/** May the job look at it: has it begun it? Errors: NOT_FOUND. */
export async function mustHaveBegun(
  world: World,
  session: CiSession,
  what: { readonly run: RunId } | { readonly deployment: DeploymentId },
): Promise<void> {
  const { store } = world;
  const { product, subject } = session;
  if ("deployment" in what && (await hasPromoted(world, session, what.deployment))) return;
  const rows = await store.db
    .selectFrom("trigger_event")
    .select("delivery")
    .where("product", "=", product)
    .where("source", "=", "ci")
    .where((is) => ("run" in what ? is("run_id", "=", what.run) : is("deployment_id", "=", what.deployment)))
    .execute();
  if (rows.some(({ delivery }) => delivery.startsWith(`${subject} `))) return;
  throw new SlipwayError("NOT_FOUND", { message: "this job has begun no such run or deployment" });
}
