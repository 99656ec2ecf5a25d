import { createHash } from "node:crypto";
import { type CiFacts, ciEvidence, ciText } from "../../core/ci/facts.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import { type DeploymentId, deploymentId, type EnvironmentName, type ReleaseId } from "../../core/ids.ts";
import type { ReleaseRow } from "../../ports/tables.ts";
import { startDeployment } from "../commands/start-deployment.ts";
import { findEnvironment } from "../environment.ts";
import { firstEntryOf } from "../history.ts";
import { releaseView } from "../release/read.ts";
import type { World } from "../world.ts";
import type { CiSession } from "./session.ts";

/** In the evidence of a promotion that a job has asked for: whose it is. */
export const subjectEvidence = "proven by the issuer";

type Asked = {
  readonly environment: EnvironmentName;
  /** `r12`, an id or a version; null: what is live in the environment before. */
  readonly release: string | null;
  readonly facts: CiFacts;
  readonly reason: string;
  /** The same for one question that is asked again. */
  readonly key: string;
};

/**
 * Takes a release that has succeeded in the environment before to this one, and nothing else: an environment that is promoted from
 * nowhere is refused. The same key begins nothing twice. Errors: PROMOTION_REFUSED, UNKNOWN_RELEASE, and those of `startDeployment`.
 */
export async function promoteFromCi(world: World, session: CiSession, asked: Asked): Promise<DeploymentId> {
  const { product, subject, actor } = session;
  const { environment, facts } = asked;
  const hash = createHash("sha256")
    .update(JSON.stringify([product, subject, environment, asked.key]))
    .digest("hex");
  const id = deploymentId(`dep_${hash.slice(0, 12)}`);
  const before = await world.store.db.selectFrom("deployment").select("id").where("id", "=", id).executeTakeFirst();
  if (before !== undefined) return before.id;
  return startDeployment(world, {
    id,
    environment,
    release: await releaseToPromote(world, product, asked),
    kind: "promotion",
    actor,
    reason: asked.reason === "" ? `promoted ${ciText(facts)}` : asked.reason,
    evidence: [...ciEvidence(facts), [subjectEvidence, subject]],
  });
}

async function releaseToPromote(world: World, product: string, { environment, release }: Asked): Promise<ReleaseId> {
  const { db } = world.store;
  const rows = await db
    .selectFrom("release")
    .select(["id", "number", "version"])
    .where("product", "=", product)
    .orderBy("number", "desc")
    .execute();
  const named = release === null ? rows[0] : rows.find((row) => isNamed(row, release));
  if (named === undefined)
    throw new SlipwayError("UNKNOWN_RELEASE", {
      message: release === null ? `${product} has no release` : `there is no release ${JSON.stringify(release)}`,
    });
  const { promoteFrom } = (await releaseView(db, named.id, environment)).spec;
  if (promoteFrom === null)
    throw new SlipwayError("PROMOTION_REFUSED", {
      message: `the config of r${named.number} says of no environment that ${environment} is promoted from it`,
      hint: `set environments.${environment}.promoteFrom`,
    });
  if (release !== null) return named.id;
  const live = (await findEnvironment(db, { product, environment: promoteFrom }))?.live_release_id ?? null;
  if (live !== null) return live;
  throw new SlipwayError("PROMOTION_REFUSED", {
    message: `nothing is live in ${promoteFrom} to promote to ${environment}`,
  });
}

function isNamed({ id, number, version }: Pick<ReleaseRow, "id" | "number" | "version">, name: string): boolean {
  return name === id || name === `r${number}` || name === version;
}

/** Has a job of this subject asked for that promotion? */
export async function hasPromoted(
  { store }: Pick<World, "store">,
  { subject }: CiSession,
  deployment: DeploymentId,
): Promise<boolean> {
  const first = await firstEntryOf(store.db, deployment);
  const evidence = JSON.parse(first?.evidence ?? "[]") as readonly (readonly [string, string])[];
  return evidence.some(([name, value]) => name === subjectEvidence && value === subject);
}
