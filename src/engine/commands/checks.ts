import { standingOf } from "../../core/certificates/standing.ts";
import { numberOf } from "../../core/deploy/course.ts";
import { releasesAtFullTraffic, type Traffic } from "../../core/deploy/traffic.ts";
import { reasonOf } from "../../core/errors/error.ts";
import type { EpochMs } from "../../core/ids.ts";
import { directoriesOf } from "../../core/release/artifacts.ts";
import type { CertificateStatus } from "../../ports/edge.ts";
import { artifactsOf } from "../release/read.ts";
import { askToRemove, prunedRegistries } from "../release/registry-retention.ts";
import type { Place } from "../targets.ts";
import type { EdgeSite } from "../traffic/sites.ts";
import type { World } from "../world.ts";
import { domainReport, domainsOf } from "./check-domains.ts";
import { bad, hostReport, type Report } from "./check-hosts.ts";

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
    ...(await world.targets.inUse()).map((target) => check(`target ${target.name}`, () => targetCheck(world, target))),
    ...(await world.targets.conditions(AbortSignal.timeout(hostPatienceMs))).map((condition) =>
      check(`host ${condition.name}`, async () => hostReport(condition, world.clock.now())),
    ),
    ...(await domainsOf(world)).map((domain) => check(`domain ${domain.name}`, () => domainReport(world, domain))),
    ...world.edges.all().flatMap((site) => edgeChecks(world, site)),
    ...(await prunedRegistries(world)).map((place) =>
      check(`registry ${place.spec.repository}`, async () => {
        await askToRemove(world, place, AbortSignal.timeout(registryPatienceMs));
        return "removes the images that its retention lets go";
      }),
    ),
    // No fault: it is so on every Mac and in most containers.
    check("fence", async () => {
      const why = await world.executor.unfenced();
      return why === null
        ? "steps on this machine cannot read the state directory"
        : `steps that are processes of this machine can read the state directory: ${why}; give them an image where their code is not yours`;
    }),
    check("artifacts", () => artifactCheck(world)),
    check("traffic", () => trafficCheck(world)),
  ]);
}

const hostPatienceMs = 15_000;

function edgeChecks(world: World, { place, edge, router, counts }: EdgeSite): Promise<Check>[] {
  const where = place.server === null ? place.driver : `${place.driver} on ${place.server}`;
  return [
    check(`edge ${where}`, async () => {
      if (router.trouble !== null) throw router.trouble;
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

function certificateReport(certificates: readonly CertificateStatus[], now: EpochMs) {
  if (certificates.length === 0) return "no TLS is configured";
  const troubled = certificates.map((seen) => standingOf(seen, now)).filter(({ is }) => is !== "well");
  if (troubled.length > 0) {
    const hint = "look at what the CA says above; renew the files, or see that port 80 reaches the edge";
    return bad(troubled.map(({ says }) => says).join("; "), hint);
  }
  const daysLeft = Math.floor((Math.min(...certificates.map(({ notAfter }) => notAfter)) - now) / dayMs);
  return `${certificates.length} in use, the first ends in ${daysLeft} days`;
}

const dayMs = 86_400_000;

/** After a state was lost, or restored from an older copy, what it does not know runs on: a worker takes work beside its successor. */
async function targetCheck(world: World, target: Place) {
  const there = await target.observe({});
  const released = there.filter(({ id }) => numberOf(id) > 0);
  const rows = await world.store.db.selectFrom("revision").select("id").execute();
  const known = new Set(rows.map(({ id }) => id));
  const strange = released.filter(({ id, wanted }) => wanted > 0 && !known.has(id)).map(({ id }) => id);
  if (strange.length === 0) return `${counted(there.length, "revision")} known to the ${target.name} target`;
  return bad(
    `${strange.join(", ")} ${strange.length === 1 ? "runs" : "run"}, of releases that this state does not know: it was lost, or restored from an older copy`,
    "when what is deployed may be away for a moment: slipway down --all && slipway up",
  );
}

function counted(count: number, what: string): string {
  return count === 1 ? `1 ${what} is` : `${count} ${what}s are`;
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
  return rows.length === 1 ? "1 release has all its artifacts" : `${rows.length} releases have all their artifacts`;
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
  return rows.length === 1
    ? "1 environment routes to what is live"
    : `${rows.length} environments route to what is live`;
}

async function check(name: string, look: () => Promise<Report>): Promise<Check> {
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
