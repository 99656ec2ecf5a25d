import type { EnvironmentName, ReleaseId, ServiceName } from "../../core/ids.ts";
import type { Labels } from "../../core/metric/labels.ts";
import type { Query } from "../../core/metric/memory.ts";
import type { CheckSpec, MeasuredSpec } from "../../core/product/probe-spec.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Gauge } from "../../ports/gauge.ts";
import type { Log } from "../../ports/log.ts";
import type { Db } from "../../ports/store.ts";
import { rulePlaces } from "../judge/places.ts";
import { releaseView } from "../release/read.ts";
import { tooOld } from "./intervals.ts";
import type { Metrics, Taken } from "./metrics.ts";
import { type Reading, Schedule, type Task } from "./schedule.ts";

/** A probe or metric of an environment, and what it last saw. */
export type Declared = {
  readonly environment: EnvironmentName;
  /** Whose config declares it. */
  readonly release: ReleaseId;
  readonly kind: "probe" | "metric";
  readonly spec: MeasuredSpec;
  readonly uptime: boolean;
  readonly last: (Reading & { readonly at: number }) | null;
};

type Deps = {
  readonly db: Db;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly random: () => number;
  /** Looks as the spec says. `timeoutMs` is for what must end itself. */
  readonly makeGauge: (spec: MeasuredSpec, kind: Declared["kind"]) => Gauge;
};

/**
 * What the config of each environment declares: of the release under way where it has traffic, else of the live one. Probes are
 * kept as `probe` and `response time` and what they read besides; metrics under their own names.
 */
export class DeclaredSource {
  readonly #deps: Deps;
  readonly #schedule: Schedule;
  readonly #declared = new Map<string, Declared>();

  constructor(deps: Deps) {
    this.#deps = deps;
    const { clock, random } = deps;
    this.#schedule = new Schedule({ clock, random, onReading: (key, reading) => this.#take(key, reading) });
  }

  open(): void {
    this.#schedule.open();
  }

  close(): Promise<void> {
    return this.#schedule.close();
  }

  /** All that is declared now, with what was last seen. */
  all(): readonly Declared[] {
    return [...this.#declared.values()];
  }

  /** Which probes have a say in whether something is up. */
  uptime(): readonly { environment: EnvironmentName; service: ServiceName | null; name: string }[] {
    return this.all()
      .filter(({ uptime }) => uptime)
      .map(({ environment, spec }) => ({ environment, service: spec.service, name: spec.name }));
  }

  /** What the last reading of what is asked for said, where it is declared and could not be read; null elsewhere. */
  unread({ metric, labels }: Pick<Query, "metric" | "labels">): string | null {
    const name = labels.probe ?? metric.series;
    const found = this.all().find(({ environment, spec }) => environment === labels.environment && spec.name === name);
    return found?.last?.is === "unknown" ? found.last.saw : null;
  }

  /** Reads the configs that are in force. What has not changed goes on undisturbed. */
  async refresh(): Promise<void> {
    const wanted = new Map((await declaredNow(this.#deps.db)).map((each) => [keyOf(each), each]));
    for (const key of this.#declared.keys()) if (!wanted.has(key)) this.#declared.delete(key);
    const tasks: Task[] = [];
    for (const [key, each] of wanted) {
      this.#declared.set(key, { ...each, last: this.#declared.get(key)?.last ?? null });
      const { everyMs, timeoutMs } = each.spec;
      const whenLost = each.kind === "probe" && each.spec.check.kind !== "queue" ? "fail" : "unknown";
      tasks.push({ key, everyMs, timeoutMs, whenLost, gauge: this.#gauge(key, each) });
    }
    for (const key of this.#gauges.keys()) if (!wanted.has(key)) this.#gauges.delete(key);
    this.#schedule.set(tasks);
  }

  readonly #gauges = new Map<string, Gauge>();

  /** One gauge as long as its spec is the same: some keep what is costly to make. */
  #gauge(key: string, { spec, kind }: Declared): Gauge {
    const known = this.#gauges.get(key) ?? this.#deps.makeGauge(spec, kind);
    this.#gauges.set(key, known);
    return known;
  }

  #take(key: string, reading: Reading): void {
    const declared = this.#declared.get(key);
    if (declared === undefined) return;
    const { last, environment, spec } = declared;
    // One line a change: the same again is not news.
    if (last !== null && last.is !== reading.is) {
      const fields = { environment, probe: spec.name, from: last.is, to: reading.is, saw: reading.saw };
      this.#deps.log[reading.is === "pass" ? "info" : "warn"]("probe.changed", fields);
    }
    this.#declared.set(key, { ...declared, last: { ...reading, at: this.#deps.clock.now() } });
    this.#deps.metrics.record(samplesOf(declared, reading));
  }
}

export function samplesOf({ environment, release, spec, kind }: Declared, reading: Reading): Taken[] {
  const labels: Labels = {
    environment,
    ...(spec.service !== null && { service: spec.service }),
    release,
    probe: spec.name,
  };
  // It is known until the next reading can be there at the latest.
  const holdMs = tooOld(spec.everyMs) + spec.timeoutMs;
  const values = Object.entries(reading.values ?? {}).map(([metric, value]) => ({
    metric: metric === "value" ? spec.name : metric,
    labels,
    value,
    holdMs,
  }));
  if (kind === "metric" || reading.is === "unknown") return values;
  const passed = { metric: "probe", labels, value: reading.is === "pass" ? 1 : 0, holdMs };
  const took = { metric: "response time", labels, value: reading.tookMs, holdMs };
  return reading.is === "pass" ? [passed, took, ...values] : [passed, ...values];
}

/** Another spec is another thing to read, though its name be the same; another release with the same spec is not. */
function keyOf({ environment, kind, spec }: Declared): string {
  return JSON.stringify([environment, kind, spec satisfies { check: CheckSpec }]);
}

async function declaredNow(db: Db): Promise<readonly Declared[]> {
  const found: Declared[] = [];
  // The same release whose rules hold: at a step of a canary too, where the routes are stable's still.
  for (const { environment, release } of await rulePlaces(db)) {
    const view = await releaseView(db, release, environment).catch(() => null);
    const { probes = [], metrics = [] } = view?.spec ?? {};
    for (const spec of probes)
      found.push({ environment, release, kind: "probe", spec, uptime: spec.uptime, last: null });
    for (const spec of metrics) found.push({ environment, release, kind: "metric", spec, uptime: false, last: null });
  }
  return found;
}
