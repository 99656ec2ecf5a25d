import { metricOf } from "../../metric/catalogue.ts";
import { parseScaleTarget, type ScaleTarget } from "../../scale/target.ts";
import { noSuch } from "../guess.ts";
import type { ScaleInput } from "../input.ts";
import { loneReason } from "../lone.ts";
import type { CheckSpec } from "../probe-spec.ts";
import type { EnvironmentSpec, ScaleSpec, ServiceSpec } from "../spec.ts";
import { formatDuration } from "../units.ts";
import { error, type Finding, type Place, warning } from "./finding.ts";

type At = (...keys: readonly string[]) => Finding["at"];
type Scaled = ServiceSpec & { readonly scale: ScaleSpec };

/** Scaling that cannot be done, or could not know by what. */
export function checkScale({ merged, spec, where }: Place): readonly Finding[] {
  return Object.values<ServiceSpec>(spec.services).flatMap((service) => {
    const { scale } = service;
    if (scale === undefined) return [];
    const input = merged.services[service.name];
    const at: At = (...keys) => where(["services", service.name, ...keys]);
    const scaled = { ...service, scale };
    return [
      ...limitsOf(scaled, input?.instances, at),
      ...possibleOf(scaled, spec, at),
      ...targetsOf(scaled, spec, input?.scale, at),
    ];
  });
}

function limitsOf({ scale, instances }: Scaled, given: number | undefined, at: At): readonly Finding[] {
  const { min, max, upAfterMs, downAfterMs } = scale;
  if (min > max)
    return [
      error(at("scale", "min"), `the least (${min}) is more than the most (${max})`, { because: [at("scale", "max")] }),
    ];
  const because = [at("scale", "min"), at("scale", "max")];
  const findings: Finding[] = [];
  if (given !== undefined && (instances < min || instances > max))
    findings.push(
      error(at("instances"), `it begins outside its limits; use ${min} to ${max}, or leave it out`, { because }),
    );
  if (min === max)
    findings.push(
      warning(at("scale"), `there are always ${max}: the least is the most; leave it out, and set instances`, {
        because,
      }),
    );
  if (downAfterMs < upAfterMs)
    findings.push(
      warning(
        at("scale", "downAfter"),
        `an instance goes sooner (${formatDuration(downAfterMs)}) than it comes (${formatDuration(upAfterMs)}); usually it is the other way round`,
        { because: [at("scale", "upAfter")] },
      ),
    );
  return findings;
}

const loneReasons = {
  hostPorts: "it has a port of its host",
  volumes: "it writes to a volume",
  asked: "it is said not to run beside its successor",
} as const;

function possibleOf({ kind, scale, container }: Scaled, { target }: EnvironmentSpec, at: At): readonly Finding[] {
  if (kind === "job")
    return [error(at("scale"), "a job runs once in each deployment; leave it out", { because: [at("kind")] })];
  const lone = target.driver === "docker" ? loneReason(container) : null;
  if (lone === null || scale.max === 1) return [];
  return [
    error(at("scale"), `${loneReasons[lone]}, so a second instance cannot run beside it; leave it out`, {
      because: [at("hostPorts"), at("volumes"), at("container", "stopFirst")],
    }),
  ];
}

function targetsOf(service: Scaled, spec: EnvironmentSpec, input: ScaleInput | undefined, at: At): readonly Finding[] {
  const findings: Finding[] = [];
  if (input?.memory !== undefined && service.resources.memoryBytes === null)
    findings.push(
      error(at("scale", "memory"), "a share of what? set resources.memory too", {
        because: [at("resources", "memory")],
      }),
    );
  const declared = (spec.metrics ?? []).map(({ name }) => name);
  for (const line of input?.when ?? []) {
    const parsed = parseScaleTarget(line, declared);
    const why = parsed.is === "wrong" ? parsed.why : whyUnknown(parsed.target, service, spec);
    if (why !== null)
      findings.push(error(at("scale", "when"), `"${line}": ${why}`, { because: [["metrics"], ["probes"]] }));
  }
  return findings;
}

/** Series of declared probes, and what has them. */
const probed: Readonly<Record<string, (check: CheckSpec) => boolean>> = {
  "queue delay": ({ kind }) => kind === "queue",
  "queue depth": ({ kind }) => kind === "queue",
  "queue failed": ({ kind }) => kind === "queue",
  "response time": () => true,
};

/** Why nothing would ever be measured of it. */
function whyUnknown({ condition }: ScaleTarget, own: Scaled, spec: EnvironmentSpec): string | null {
  const { metric, asked } = condition;
  const service = condition.service ?? own.name;
  if (!Object.values<ServiceSpec>(spec.services).some(({ name }) => name === service))
    return noSuch("service", service, Object.keys(spec.services));
  const isProbed = probed[metric.series];
  if (metricOf(metric.name) === null || isProbed === undefined) return null;
  const probes = (spec.probes ?? []).filter(({ check }) => isProbed(check));
  if (asked !== null) return probes.some(({ name }) => name === asked) ? null : `no probe called ${asked} measures it`;
  if (probes.some((probe) => probe.service === service)) return null;
  const [first] = probes;
  return first === undefined
    ? `no probe measures it; declare one in probes, with service: "${service}"`
    : `no probe of ${service} measures it; give one service: "${service}", or write "${metric.name} at ${first.name} …"`;
}
