import type { EnvironmentName, ServiceName } from "../../core/ids.ts";
import { metricOf } from "../../core/metric/catalogue.ts";
import { type Up, upOf, whole } from "../../core/metric/uptime.ts";
import { type HealthSource, healthValue, tickMs } from "./health-source.ts";
import { tooOld } from "./intervals.ts";
import type { Metrics, Taken } from "./metrics.ts";

/** In which an edge's answers are looked at; with fewer requests than these in it, they say nothing. */
const answersMs = 5_000;
const leastRequests = 5;

const errorRatio = metricOf("error ratio");
const probe = metricOf("probe");

/** Who else has a say in whether a service is up: probes, by their names. */
export type UptimeProbes = readonly {
  readonly environment: EnvironmentName;
  readonly service: ServiceName | null;
  readonly name: string;
}[];

/** Whether each service, and each environment as a whole, is up at this moment, as the metric `uptime`. */
export function uptimeNow(health: HealthSource, metrics: Metrics, probes: UptimeProbes): Taken[] {
  const places = new Map<string, { environment: EnvironmentName; service: ServiceName; instances: (0 | 1 | null)[] }>();
  for (const { environment, service, revision } of health.serving) {
    const key = `${environment} ${service}`;
    const place = places.get(key) ?? { environment, service, instances: [] };
    place.instances.push(...health.report(revision).map(healthValue));
    places.set(key, place);
  }
  const environments = new Map<EnvironmentName, Up[]>();
  const taken: Taken[] = [];
  for (const { environment, service, instances } of places.values()) {
    const asked = probes.filter((each) => each.environment === environment && each.service === service);
    const up = upOf({
      instances,
      probes: asked.map(({ name }) => passes(metrics, environment, name)),
      answersAllFail: allFail(metrics, environment, service),
    });
    environments.set(environment, [...(environments.get(environment) ?? []), up]);
    taken.push(...sampleOf({ environment, service }, up));
  }
  for (const { environment, service, name } of probes) {
    if (service !== null) continue;
    environments.set(environment, [...(environments.get(environment) ?? []), passes(metrics, environment, name)]);
  }
  for (const [environment, ups] of environments) taken.push(...sampleOf({ environment }, whole(ups)));
  return taken;
}

function sampleOf(labels: Taken["labels"], up: Up): Taken[] {
  return up === null ? [] : [{ metric: "uptime", labels, value: up ? 1 : 0, holdMs: tooOld(tickMs) }];
}

function passes(metrics: Metrics, environment: EnvironmentName, name: string): Up {
  if (probe === null) return null;
  const measured = metrics.measure({ metric: probe, labels: { environment, probe: name }, windowMs: 0, take: "last" });
  return measured.is === "known" ? measured.value === 1 : null;
}

function allFail(metrics: Metrics, environment: EnvironmentName, service: ServiceName): boolean {
  if (errorRatio === null) return false;
  const measured = metrics.measure({ metric: errorRatio, labels: { environment, service }, windowMs: answersMs });
  return measured.is === "known" && measured.count >= leastRequests && measured.value === 1;
}
