import { metricOf } from "../../metric/catalogue.ts";
import { nearest, noSuch } from "../guess.ts";
import { probeDefaults } from "../probes.ts";
import type { Path } from "../problems.ts";
import { parseDuration } from "../units.ts";
import { error, type Finding, type Place } from "./finding.ts";

const probeKinds = ["http", "tcp", "dns", "tls", "postgres", "mysql", "mongodb", "redis", "queue", "command"] as const;
const metricKinds = ["prometheus", "cloudwatch", "json", "command"] as const;
const databases = ["postgres", "mysql", "mongodb", "redis", "queue"] as const;

/** What is declared to be measured: one kind each, in one place, of a service that exists, under a name of its own. */
export function checkProbes({ merged, where }: Place): readonly Finding[] {
  const { probes = {}, metrics = {}, services } = merged;
  const findings: Finding[] = [];
  for (const [group, all, kinds] of [
    ["probes", probes, probeKinds],
    ["metrics", metrics, metricKinds],
  ] as const) {
    for (const [name, one] of Object.entries(all)) {
      const at = (...path: string[]): Path => where([group, name, ...path]);
      const given = kinds.filter(
        (kind) => Object.hasOwn(one, kind) && (one as Record<string, unknown>)[kind] !== undefined,
      );
      if (given.length !== 1)
        findings.push(
          error(at(), `it has ${given.length === 0 ? "no kind" : given.join(" and ")}; use one of ${kinds.join(", ")}`),
        );
      if (one.variables !== undefined && one.command === undefined)
        findings.push(error(at("variables"), "only a command is given variables"));
      const { service, every = probeDefaults.every, timeout } = one;
      if (service !== undefined && !Object.hasOwn(services, service))
        findings.push(unknownService(at("service"), service, services));
      if (timeout !== undefined && (parseDuration(timeout) ?? 0) > (parseDuration(every) ?? 0))
        findings.push(
          error(at("timeout"), `longer than ${every}, which is how often it is measured`, { because: [at("every")] }),
        );
    }
  }
  for (const [name, probe] of Object.entries(probes)) {
    const at = (...path: string[]): Path => where(["probes", name, ...path]);
    if (Object.hasOwn(metrics, name))
      findings.push(error(where(["metrics", name]), `a probe is called ${name} too; choose another name`));
    for (const kind of databases) {
      const input = probe[kind];
      if (input === undefined) continue;
      if ((input.url === undefined) === (input.urlFrom === undefined))
        findings.push(error(at(kind), "use either url or urlFrom"));
    }
    const { queue } = probe;
    if (queue === undefined) continue;
    const given = (["bullmq", "list", "stream"] as const).filter((kind) => queue[kind] !== undefined);
    if (given.length !== 1) findings.push(error(at("queue"), "use one of bullmq, list, stream"));
    if ((queue.stream === undefined) !== (queue.group === undefined))
      findings.push(error(at("queue"), "a stream and its group go together"));
  }
  for (const name of [...Object.keys(metrics), ...Object.keys(probes)]) {
    if (metricOf(name) === null && name !== "traffic") continue;
    const path = where([Object.hasOwn(metrics, name) ? "metrics" : "probes", name]);
    findings.push(error(path, `${name} is a metric that is always there; choose another name`));
  }
  return findings;
}

function unknownService(at: Path, service: string, services: object): Finding {
  const guess = nearest(service, Object.keys(services));
  return error(at, noSuch("service", service, Object.keys(services)), guess === null ? {} : { guess });
}
