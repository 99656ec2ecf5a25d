import { releasesAtFullTraffic, type Traffic } from "../../core/deploy/traffic.ts";
import { reasonOf } from "../../core/errors/error.ts";
import type { EpochMs } from "../../core/ids.ts";
import { directoriesOf } from "../../core/release/artifacts.ts";
import type { CertificateStatus } from "../../ports/edge.ts";
import { artifactsOf } from "../release/read.ts";
import { askToRemove, prunedRegistries } from "../release/registry-retention.ts";
import type { EdgeSite } from "../traffic/sites.ts";
import type { World } from "../world.ts";

export type Check = {
  readonly name: string;
  readonly ok: boolean;
  readonly says: string;
  readonly hint: string | null;
};

/** Looks at everything a running control plane depends on, and says in words what is wrong and what to do. Changes nothing. */
export async function checks(world: World): Promise<Check[]> {
  return Promise.all([
    check("store", async () => {
      const report = await world.store.check();
      return report.ok
        ? "the state file is whole"
        : bad(report.findings.join("; "), "restore the newest copy: slipway state restore <file>");
    }),
    ...(await world.targets.inUse()).map((target) =>
      check(
        `target ${target.name}`,
        async () => `${(await target.observe({})).length} revisions are known to the ${target.name} target`,
      ),
    ),
    ...world.edges.all().flatMap((site) => edgeChecks(world, site)),
    ...(await prunedRegistries(world)).map((place) =>
      check(`registry ${place.spec.repository}`, async () => {
        await askToRemove(world, place, AbortSignal.timeout(registryPatienceMs));
        return "removes the images that its retention lets go";
      }),
    ),
    check("artifacts", () => artifactCheck(world)),
    check("traffic", () => trafficCheck(world)),
  ]);
}

function edgeChecks(world: World, { place, edge, counts }: EdgeSite): Promise<Check>[] {
  const where = place.server === null ? place.driver : `${place.driver} on ${place.server}`;
  return [
    check(`edge ${where}`, async () => {
      const table = await edge.current();
      return table === null ? "no route table has been applied yet" : `routes by generation ${table.generation}`;
    }),
    check(`samples ${where}`, async () => {
      const age = counts.ageMs();
      if (age === null)
        return bad("no sample of the edge has arrived", "look at the edge's log in the state directory");
      return age < 2_000
        ? `the newest is ${age} ms old`
        : bad(`the newest is ${age} ms old`, "the judge is blind: restart the edge with slipway up");
    }),
    check(`certificates ${where}`, async () => certificateReport(await edge.certificates(), world.clock.now())),
  ];
}

/** A person waits for the answer. */
const registryPatienceMs = 10_000;

/** Renewal begins a month before the end at the latest (a third of 90 days), so whoever has less left has a problem. */
const fewDaysLeft = 14;
const dayMs = 86_400_000;

function certificateReport(certificates: readonly CertificateStatus[], now: EpochMs) {
  const troubled = certificates.filter(
    ({ trouble, notAfter }) => trouble !== null || notAfter - now < fewDaysLeft * dayMs,
  );
  if (certificates.length === 0) return "no TLS is configured";
  if (troubled.length === 0) {
    const daysLeft = Math.floor((Math.min(...certificates.map(({ notAfter }) => notAfter)) - now) / dayMs);
    return `${certificates.length} in use, the first ends in ${daysLeft} days`;
  }
  const words = troubled.map(({ hosts, notAfter, trouble }) => {
    const days = Math.floor((notAfter - now) / dayMs);
    const end = notAfter === 0 ? "not there" : days < 0 ? `ended ${-days} days ago` : `ends in ${days} days`;
    return `${hosts.join(", ")}: ${end}${trouble === null ? "" : ` (${trouble})`}`;
  });
  return bad(words.join("; "), "look at what the CA says above; renew the files, or see that port 80 reaches the edge");
}

async function artifactCheck(world: World) {
  const rows = await world.store.db
    .selectFrom("release")
    .select(["number", "artifacts"])
    .where("pruned_at", "is", null)
    .execute();
  for (const row of rows) {
    for (const digest of directoriesOf(artifactsOf(row))) {
      if (!(await world.artifacts.has(digest)))
        return bad(`r${row.number} needs ${digest.slice(0, 19)}…, which is gone`, "deploy that commit again");
    }
  }
  return `${rows.length} releases have all their artifacts`;
}

/** At rest, an environment has exactly one release at 100 %. */
async function trafficCheck(world: World) {
  const rows = await world.store.db
    .selectFrom("environment")
    .select(["product", "name", "traffic", "live_release_id"])
    .execute();
  for (const row of rows) {
    const open = await world.store.db
      .selectFrom("deployment")
      .select("id")
      .where("product", "=", row.product)
      .where("environment", "=", row.name)
      .where("ended_at", "is", null)
      .where("phase", "!=", "gated")
      .executeTakeFirst();
    if (open !== undefined) continue;
    const full = releasesAtFullTraffic(JSON.parse(row.traffic) as Traffic);
    if (full.some((release) => release !== row.live_release_id))
      return bad(`${row.name} routes to a release that is not live`, "this is a bug; please report it");
  }
  return `${rows.length} environments route to what is live`;
}

function bad(says: string, hint: string): { readonly says: string; readonly hint: string } {
  return { says, hint };
}

async function check(
  name: string,
  look: () => Promise<string | { readonly says: string; readonly hint: string }>,
): Promise<Check> {
  try {
    const result = await look();
    return typeof result === "string" ? { name, ok: true, says: result, hint: null } : { name, ok: false, ...result };
  } catch (error) {
    return {
      name,
      ok: false,
      says: reasonOf(error),
      hint: error instanceof Error && "hint" in error ? String(error.hint) : null,
    };
  }
}
