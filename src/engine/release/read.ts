import type { ReleaseView } from "../../core/deploy/course.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import type { EnvironmentName, ReleaseId } from "../../core/ids.ts";
import { templateOf } from "../../core/previews/name.ts";
import { previewSpec } from "../../core/previews/spec.ts";
import type { EnvironmentSpec } from "../../core/product/spec.ts";
import { parseArtifacts, type ReleaseArtifacts } from "../../core/release/artifacts.ts";
import type { Db, Trx } from "../../ports/store.ts";
import type { ReleaseRow } from "../../ports/tables.ts";

/** The row of a release. Errors: UNKNOWN_RELEASE. */
export async function releaseRow(db: Db | Trx, id: ReleaseId): Promise<ReleaseRow> {
  const row = await db.selectFrom("release").selectAll().where("id", "=", id).executeTakeFirst();
  if (row === undefined) throw new SlipwayError("UNKNOWN_RELEASE", { message: `there is no release ${id}` });
  return row;
}

/** Releases are immutable, so a resolved one never changes: the few that are in use are kept. */
const views = new Map<string, ReleaseView>();
const maxViews = 64;

/** The release as the environment sees it: every default and override applied. Errors: UNKNOWN_RELEASE, UNKNOWN_ENVIRONMENT. */
export async function releaseView(db: Db | Trx, id: ReleaseId, environment: EnvironmentName): Promise<ReleaseView> {
  return views.get(keyOf(id, environment)) ?? keepView(await releaseRow(db, id), environment);
}

/**
 * The row as it is now, and the release as the environment sees it, in one look; what does not change of both is kept for who asks
 * next. Errors: UNKNOWN_RELEASE, UNKNOWN_ENVIRONMENT.
 */
export async function releaseIn(
  db: Db | Trx,
  id: ReleaseId,
  environment: EnvironmentName,
): Promise<{ readonly row: ReleaseRow; readonly view: ReleaseView }> {
  const row = await releaseRow(db, id);
  keepFacts(row);
  return { row, view: views.get(keyOf(id, environment)) ?? keepView(row, environment) };
}

const keyOf = (id: ReleaseId, environment: EnvironmentName) => `${id}/${environment}`;

function keepView(row: ReleaseRow, environment: EnvironmentName): ReleaseView {
  const view = viewOf(row, environment);
  if (views.size >= maxViews) views.delete(views.keys().next().value ?? "");
  views.set(keyOf(row.id, environment), view);
  return view;
}

/** What never changes of a release's row. */
export type ReleaseFacts = Omit<ReleaseRow, "pinned" | "pruned_at">;

const facts = new Map<ReleaseId, ReleaseFacts>();

/** The row without what may change. Errors: UNKNOWN_RELEASE. */
export async function releaseFacts(db: Db | Trx, id: ReleaseId): Promise<ReleaseFacts> {
  const known = facts.get(id);
  if (known !== undefined) return known;
  return keepFacts(await releaseRow(db, id));
}

function keepFacts(row: ReleaseRow): ReleaseFacts {
  if (facts.size >= maxViews) facts.delete(facts.keys().next().value ?? row.id);
  facts.set(row.id, row);
  return row;
}

/** Forgets what is kept of releases: for a process that goes on with another store, in which the same ids are others. */
export function forgetReleases(): void {
  views.clear();
  facts.clear();
}

/** What a release keeps of its config: every environment resolved, so that a later change of a default changes no old release. */
export type ReleaseConfig = {
  readonly product: string;
  readonly environments: Readonly<Record<EnvironmentName, EnvironmentSpec>>;
};

/** Errors: UNKNOWN_ENVIRONMENT. */
export function viewOf(row: Pick<ReleaseRow, "id" | "number" | "config">, environment: EnvironmentName): ReleaseView {
  const { environments } = JSON.parse(row.config) as ReleaseConfig;
  const spec = environments[environment] ?? madeOf(environments, environment);
  if (spec !== null) return { id: row.id, number: row.number, spec };
  throw new SlipwayError("UNKNOWN_ENVIRONMENT", {
    message: `the config of r${row.number} has no environment ${environment}`,
    evidence: [["it has", Object.keys(environments).join(", ")]],
  });
}

/** A preview is what its template was when the release was made. */
function madeOf(environments: ReleaseConfig["environments"], environment: EnvironmentName): EnvironmentSpec | null {
  const name = templateOf(environment);
  const template = name === null ? undefined : environments[name];
  return template?.previews === undefined ? null : previewSpec(template, environment);
}

/** They never change either, and are asked for at every look at what should run. */
export function artifactsOf({ artifacts: text }: Pick<ReleaseRow, "artifacts">): ReleaseArtifacts {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  if (parsed.size >= maxViews) parsed.delete(parsed.keys().next().value ?? "");
  const artifacts = parseArtifacts(text);
  parsed.set(text, artifacts);
  return artifacts;
}

const parsed = new Map<string, ReleaseArtifacts>();
