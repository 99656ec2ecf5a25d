import { shareText, stepOf, stepText } from "../../core/deploy/canary.ts";
import type { Deployment } from "../../core/deploy/deployment.ts";
import type { Evidence } from "../../core/errors/error.ts";
import { timeText } from "../../core/gates/window.ts";
import type { EnvironmentName, EpochMs, ReleaseId } from "../../core/ids.ts";
import { metricOf } from "../../core/metric/catalogue.ts";
import { waiverText } from "../../core/pipeline/scan.ts";
import { formatDuration } from "../../core/product/units.ts";
import { changeLog } from "../../core/release/change-log.ts";
import type { Commit } from "../../core/release/commit.ts";
import { placeOf } from "../../core/report/finding.ts";
import { testedText } from "../../core/report/summary.ts";
import type { DeploymentRow } from "../../ports/tables.ts";
import { openDeployments } from "../deploy/open.ts";
import { findEnvironment } from "../environment.ts";
import { firstEntryOf } from "../history.ts";
import type { StepOutcome } from "../pipeline/outcome.ts";
import { releaseRow, releaseView } from "../release/read.ts";
import type { World } from "../world.ts";

/** What a person is shown before they say yes, and what was live then: a yes is to this and to nothing else. */
export type GateEvidence = { readonly live: ReleaseId | null; readonly lines: readonly Evidence[] };

/** Lines of a change log that are shown, and incidents. */
const maxChanges = 30;
const maxIncidents = 5;

/** The change log against what is live, what the release's run did, and how it has been in the environment before. Changes nothing. */
export async function gateEvidence(world: World, row: DeploymentRow): Promise<GateEvidence> {
  const { db } = world.store;
  const live = (await findEnvironment(db, row))?.live_release_id ?? null;
  const release = await releaseRow(db, row.release_id);
  const before = live === null ? null : await releaseRow(db, live);
  const { spec } = await releaseView(db, row.release_id, row.environment);
  // The row's own reason is what it waits for by now.
  const asked = await firstEntryOf(db, row.id);
  return {
    live,
    lines: [
      ["release", `r${release.number} ${release.version} (${release.commit_hash.slice(0, 7)}) ${release.subject}`],
      ["by", `${release.author}; asked for by ${row.created_by}: ${asked?.reason ?? ""}`],
      ["instead of", before === null ? "nothing, it is the first" : `r${before.number} ${before.version}`],
      ...(await underWay(world, row)),
      ...stepsSeen(row),
      ...changesOf(JSON.parse(row.change_log) as Commit[]),
      ...(await stepsOf(world, row.release_id)),
      ...(await healthBefore(world, row, spec.promoteFrom)),
    ],
  };
}

/** Of a canary: what its steps have shown so far. */
function stepsSeen({ state }: DeploymentRow): readonly Evidence[] {
  if (state === "") return [];
  const { course, steps = [], phase } = JSON.parse(state) as Deployment;
  const now = phase.is === "waiting" && phase.for.is === "gates" ? [[phase.stage, phase.for.note] as const] : [];
  return [...steps.map(({ note }, index) => [index, note] as const), ...now].map(([index, note]) => {
    const weight = stepOf(course, index)?.weight ?? 0;
    return ["canary", `${stepText(course, index)} at ${shareText(weight)}: ${note}`];
  });
}

/** Somebody who says yes now is asked again when that has gone live. */
async function underWay({ store }: World, row: DeploymentRow): Promise<readonly Evidence[]> {
  const others = await openDeployments(store.db, row);
  return Promise.all(
    others
      .filter(({ id }) => id !== row.id)
      .map(async ({ id, release_id, phase }) => {
        const { number } = await releaseRow(store.db, release_id);
        return [
          "under way",
          `${id} of r${number} is ${phase}; if it goes live, this is to be approved against it`,
        ] as const;
      }),
  );
}

function changesOf(commits: readonly Commit[]): readonly Evidence[] {
  const lines = changeLog(commits).flatMap(({ title, lines: all }) => all.map((line) => `${title}: ${line}`));
  const more = lines.length - maxChanges;
  const shown = more > 0 ? [...lines.slice(0, maxChanges), `and ${more} more`] : lines;
  return (shown.length > 0 ? shown : ["nothing new: what is live has these commits"]).map((line) => ["changes", line]);
}

async function stepsOf({ store, clock }: World, release: ReleaseId): Promise<readonly Evidence[]> {
  const steps = await store.db
    .selectFrom("run_step")
    .innerJoin("run", "run.id", "run_step.run_id")
    .select(["run_step.name", "run_step.phase", "run_step.outcome"])
    .where("run.release_id", "=", release)
    .orderBy("run_step.number")
    .execute();
  if (steps.length === 0) return [["pipeline", "no step: the product has no pipeline"]];
  return [
    ["pipeline", steps.map(({ name, phase }) => `${name} ${phase}`).join(", ")],
    ...steps.flatMap(({ name, outcome }) => {
      const known = outcome === null ? null : (JSON.parse(outcome) as StepOutcome);
      return [...testsOf(name, known), ...scanOf(name, known, clock.now())];
    }),
  ];
}

function testsOf(step: string, outcome: StepOutcome | null): readonly Evidence[] {
  const text = outcome?.reports == null ? "" : testedText(outcome.reports);
  return text === "" ? [] : [["tests", `${step}: ${text}`]];
}

/** What a scan has found, and on whose word it stays; a waiver may be over by now. */
function scanOf(step: string, outcome: StepOutcome | null, now: EpochMs): readonly Evidence[] {
  const scan = outcome?.scan ?? null;
  if (scan === null) return [];
  return [
    ["scan", `${step}: ${scan.says}`],
    ...scan.waived.map(({ finding, waiver }): Evidence => {
      const over = now < waiver.until ? "" : ", which is over by now";
      return ["scan", `${finding.severity} ${finding.rule} ${placeOf(finding)}: ${waiverText(waiver)}${over}`];
    }),
  ];
}

/** Where it has to come from; else where it has succeeded. */
async function healthBefore(
  world: World,
  row: DeploymentRow,
  promoteFrom: EnvironmentName | null,
): Promise<readonly Evidence[]> {
  const places = promoteFrom === null ? await placesBefore(world, row) : [promoteFrom];
  return (await Promise.all(places.map((place) => healthIn(world, row, place)))).flat();
}

async function placesBefore({ store }: World, row: DeploymentRow): Promise<readonly EnvironmentName[]> {
  const rows = await store.db
    .selectFrom("deployment")
    .select("environment")
    .distinct()
    .where("product", "=", row.product)
    .where("release_id", "=", row.release_id)
    .where("environment", "!=", row.environment)
    .where("phase", "=", "succeeded")
    .orderBy("environment")
    .execute();
  return rows.map(({ environment }) => environment);
}

/** How the release has been there since it went live. What is not known is said. */
async function healthIn(
  world: World,
  { product, release_id: release }: DeploymentRow,
  environment: EnvironmentName,
): Promise<readonly Evidence[]> {
  const { db } = world.store;
  const last = await db
    .selectFrom("deployment")
    .select(["live_at", "reason"])
    .where("product", "=", product)
    .where("environment", "=", environment)
    .where("release_id", "=", release)
    .where("phase", "=", "succeeded")
    .orderBy("ended_at", "desc")
    .executeTakeFirst();
  if (last?.live_at == null) return [[environment, "it has never succeeded there"]];
  const isLive = (await findEnvironment(db, { product, environment }))?.live_release_id === release;
  const sinceMs = Math.max(0, world.clock.now() - last.live_at);
  const said = `went live ${timeText(last.live_at, "UTC")}, ${formatDuration(Math.round(sinceMs / 1_000) * 1_000)} ago`;
  return [
    [environment, isLive ? `${said}, and is live there` : `${said}; another release is live there by now`],
    ...(isLive ? [[environment, await measured(world, environment, sinceMs)] as const] : []),
    ...(await loadedIn(world, { product, environment, release })),
    ...(await incidentsIn(world, { product, environment, release, since: last.live_at })),
  ];
}

type Place = { readonly product: string; readonly environment: EnvironmentName; readonly release: ReleaseId };

/** What the history has of the release there, of these events. */
function toldOf({ store }: World, { product, environment, release }: Place, events: readonly string[]) {
  return store.db
    .selectFrom("history")
    .select(["at", "actor", "event", "reason"])
    .where("product", "=", product)
    .where("environment", "=", environment)
    .where("release_id", "=", release)
    .where("event", "in", events);
}

/** What each load test of the release there came to, the last time. */
async function loadedIn(world: World, at: Place): Promise<readonly Evidence[]> {
  const rows = await toldOf(world, at, ["load-test.passed", "load-test.failed"]).orderBy("id").execute();
  const newest = new Map(rows.map((row) => [row.actor, row]));
  return [...newest.values()].map(({ actor, event, reason }) => [
    "load test",
    `${actor} in ${at.environment} ${event === "load-test.passed" ? "passed" : "failed"}: ${reason}`,
  ]);
}

async function measured({ metrics }: World, environment: EnvironmentName, windowMs: number): Promise<string> {
  const look = async (name: string) => {
    const metric = metricOf(name);
    if (metric === null || windowMs === 0) return null;
    const found = await metrics.measureLong({ metric, labels: { environment }, windowMs });
    return found.is === "known" ? found : null;
  };
  const [errors, up] = [await look("error ratio"), await look("uptime")];
  return [
    up === null ? "uptime not known" : `up ${(up.value * 100).toFixed(2)} % of the known time`,
    errors === null
      ? "no requests were counted"
      : `${errors.count} requests, ${(errors.value * 100).toFixed(2)} % of them failed`,
  ].join("; ");
}

async function incidentsIn(world: World, at: Place & { readonly since: EpochMs }): Promise<readonly Evidence[]> {
  const rows = await toldOf(world, at, ["rule.fired"]).where("at", ">=", at.since).orderBy("id", "desc").execute();
  if (rows.length === 0) return [[at.environment, "no rule has fired"]];
  const shown = rows.slice(0, maxIncidents).map(({ at: when, actor, reason }): Evidence => {
    return [at.environment, `${actor} fired ${timeText(when, "UTC")}: ${reason}`];
  });
  const more = rows.length - shown.length;
  return more > 0 ? [...shown, [at.environment, `and ${more} more`]] : shown;
}
