import { environmentName, type ReleaseId } from "../../core/ids.ts";
import { judgeLoad, type LoadPolicy, type LoadVerdict } from "../../core/pipeline/load.ts";
import { edgeUrl } from "../../core/product/edge-url.ts";
import type { LoadReport } from "../../core/report/load.ts";
import type { Db, Trx } from "../../ports/store.ts";
import type { RunRow } from "../../ports/tables.ts";
import { openDeployments } from "../deploy/open.ts";
import { findEnvironment } from "../environment.ts";
import { appendHistory } from "../history.ts";
import { releaseRow, releaseView } from "../release/read.ts";
import type { World } from "../world.ts";

/** Where a load test is at work, and with what. */
export type LoadPlace = { readonly release: ReleaseId; readonly number: number; readonly url: string | null };

/** What a load test came to, and of which release. */
export type LoadOutcome = LoadVerdict & { readonly environment: string; readonly release: ReleaseId };

type At = { readonly run: RunRow; readonly policy: LoadPolicy };

/** The release of the run's commit, when it is what is live there; else why it cannot be tested. */
export async function loadPlace({ store: { db } }: Pick<World, "store">, at: At): Promise<LoadPlace | string> {
  const environment = environmentName(at.policy.environment);
  const { product, commit_hash: commit } = at.run;
  const live = (await findEnvironment(db, { product, environment }))?.live_release_id;
  if (live == null) return `nothing is live in ${environment}: deploy to it first`;
  const [under] = await openDeployments(db, { product, environment });
  if (under !== undefined) return `${under.id} is under way in ${environment}: test it when it has ended`;
  const release = await releaseRow(db, live);
  if (release.commit_hash !== commit) {
    const has = `r${release.number} (${release.commit_hash.slice(0, 7)}) is live in ${environment}`;
    return `${has}, and this run is of ${commit.slice(0, 7)}; run: slipway load-test ${environment}`;
  }
  const { spec } = await releaseView(db, live, environment);
  return { release: live, number: release.number, url: edgeUrl(spec) };
}

/** What was measured, when it was that release all the time. */
export async function loadOutcome(
  world: Pick<World, "store">,
  { report, place, ...at }: At & { readonly report: LoadReport; readonly place: LoadPlace },
): Promise<LoadOutcome> {
  const { environment } = at.policy;
  const now = await loadPlace(world, at);
  const moved = typeof now === "string" ? now : now.release === place.release ? null : "another release is live there";
  const verdict =
    moved === null
      ? judgeLoad(report, at.policy)
      : { passed: false, says: `what was tested changed while it ran: ${moved}` };
  return { ...verdict, environment, release: place.release };
}

/** For gates, and for people: in the transaction that ends the step. */
export async function recordLoad(
  { clock }: Pick<World, "clock">,
  trx: Trx,
  {
    product,
    run,
    step,
    outcome,
  }: { readonly product: string; readonly run: string; readonly step: string; readonly outcome: LoadOutcome },
): Promise<void> {
  await appendHistory(trx, {
    at: clock.now(),
    product,
    environment: environmentName(outcome.environment),
    release: outcome.release,
    event: outcome.passed ? "load-test.passed" : "load-test.failed",
    actor: `step ${step}`,
    reason: outcome.says,
    evidence: [["run", run]],
  });
}

/** How each of these steps came out last with a release there; null where it has not run. */
export async function loadTestsOf(
  db: Db | Trx,
  at: {
    readonly product: string;
    readonly environment: string;
    readonly release: ReleaseId;
    readonly steps: readonly string[];
  },
): Promise<readonly { readonly step: string; readonly result: LoadVerdict | null }[]> {
  if (at.steps.length === 0) return [];
  const rows = await db
    .selectFrom("history")
    .select(["actor", "event", "reason"])
    .where("product", "=", at.product)
    .where("environment", "=", environmentName(at.environment))
    .where("release_id", "=", at.release)
    .where("event", "in", ["load-test.passed", "load-test.failed"])
    .orderBy("id", "desc")
    .execute();
  return at.steps.map((step) => {
    const last = rows.find(({ actor }) => actor === `step ${step}`);
    return {
      step,
      result: last === undefined ? null : { passed: last.event === "load-test.passed", says: last.reason },
    };
  });
}
