import { parseGateCondition } from "../../gates/condition.ts";
import { noSuch } from "../guess.ts";
import { hstsHeader, preloadLeastS } from "../https.ts";
import type { Path } from "../problems.ts";
import type { EdgeSpec, EnvironmentSpec, RolloutSpec } from "../spec.ts";
import { error, type Finding, type Place, warning } from "./finding.ts";

/** Settings of the rollout and the edge that do not go together, or that do what is seldom meant. */
export function checkPolicy(place: Place): readonly Finding[] {
  return [...rolloutOf(place), ...edgeOf(place)];
}

function rolloutOf({ merged, spec, where }: Place): readonly Finding[] {
  const { rollout } = spec;
  const findings: Finding[] = [];
  if (rollout.bakeMs === 0)
    findings.push(
      warning(
        where(["rollout", "bake"]),
        "nothing is watched after the switch, so a bad release is not taken back by itself",
      ),
    );
  else if (rollout.rules.errorRatio === null && (rollout.rules.latency ?? null) === null && !rollout.rules.healthLost)
    findings.push(
      warning(where(["rollout", "rules"]), "every rule is off, so a bad release is not taken back by itself"),
    );
  if (rollout.strategy !== "rolling" && merged.rollout?.batch !== undefined)
    findings.push(
      warning(where(["rollout", "batch"]), `has no effect with ${rollout.strategy}; it is for rolling`, {
        because: [where(["rollout", "strategy"])],
      }),
    );
  if (rollout.batch === 0)
    findings.push(warning(where(["rollout", "batch"]), "0% still replaces one instance at a time"));
  const most = Math.max(...Object.values(spec.services).map(({ instances }) => instances), 1);
  if (
    rollout.strategy === "rolling" &&
    typeof rollout.batch !== "number" &&
    rollout.batch.instances >= most &&
    most > 1
  )
    findings.push(
      warning(
        where(["rollout", "batch"]),
        `no service has more than ${most} instances, so all are replaced at once; a share is written "${rollout.batch.instances}%"`,
      ),
    );
  return [...findings, ...canaryOf({ merged, rollout, where }), ...conditionsOf(spec, where)];
}

const canaryKeys = [
  "steps",
  "stepBake",
  "stepMinimum",
  "stepLimit",
  "stepInstances",
  "promotion",
  "synthetic",
] as const;

function canaryOf({ merged, rollout, where }: Pick<Place, "merged" | "where"> & { rollout: RolloutSpec }): Finding[] {
  const because = [where(["rollout", "strategy"])];
  if (rollout.canary === undefined)
    return canaryKeys
      .filter((key) => merged.rollout?.[key] !== undefined && merged.rollout[key] !== false)
      .map((key) =>
        warning(where(["rollout", key]), `has no effect with ${rollout.strategy}; it is for canary`, { because }),
      );
  const { steps, minimum, synthetic } = rollout.canary;
  const findings = steps.flatMap(({ weight }, index) => {
    const before = steps[index - 1];
    return before === undefined || weight > before.weight
      ? []
      : [error(where(["rollout", "steps"]), `step ${index + 1} is not above the one before it; the shares must rise`)];
  });
  if (minimum === 0 && synthetic !== null)
    findings.push(
      warning(where(["rollout", "synthetic"]), "sends nothing: no request is asked for by stepMinimum", {
        because: [where(["rollout", "stepMinimum"])],
      }),
    );
  return findings;
}

/** What must hold before a deployment begins, or a step is followed by the next, of services and metrics that there are. */
function conditionsOf({ rollout, services, metrics, gates: own }: EnvironmentSpec, where: Place["where"]): Finding[] {
  const declared = (metrics ?? []).map(({ name }) => name);
  const check = (text: string, at: Path, gateOf: "step" | "environment"): Finding[] => {
    const parsed = parseGateCondition(text, declared, gateOf);
    if (parsed.is === "wrong") return [error(at, parsed.why)];
    const { service } = parsed.rule.condition;
    if (service === null || services[service] !== undefined) return [];
    return [error(at, noSuch("service", service, Object.keys(services)), { because: [["services"]] })];
  };
  const steps = (rollout.canary?.steps ?? []).flatMap(({ gates }, step) =>
    (gates?.conditions ?? []).flatMap((text, index) =>
      check(text, where(["rollout", "steps", step, "gates", "when", index]), "step"),
    ),
  );
  const before = (own?.conditions ?? []).flatMap((text, index) =>
    check(text, where(["gates", "when", index]), "environment"),
  );
  return [...before, ...steps];
}

function edgeOf({ merged, spec: { edge, services, rollout }, where }: Place): readonly Finding[] {
  const findings: Finding[] = [];
  const at = (...keys: readonly string[]) => where(["edge", ...keys]);
  const { optIn } = edge;
  const asked = merged.edge?.optIn;
  if (asked && (asked.header === undefined) === (asked.cookie === undefined))
    findings.push(error(at("optIn"), "needs either header or cookie, and not both"));
  if (optIn?.candidate !== undefined && optIn.candidate === optIn.stable)
    findings.push(error(at("optIn"), `"${optIn.stable}" cannot mean both sides; use two values`));
  if (optIn !== undefined && rollout.strategy === "blue-green")
    findings.push(
      warning(at("optIn"), "has no effect with blue-green, which never has two sides; it is for canary and rolling", {
        because: [where(["rollout", "strategy"])],
      }),
    );
  if (edge.cors?.credentials && edge.cors.origins.includes("*"))
    findings.push(
      error(at("cors", "origins"), '"*" and credentials do not go together (browsers refuse it); name the origins'),
    );
  if (edge.redirectToHttps && edge.tls === null && edge.trustedProxies.length === 0)
    findings.push(
      warning(
        at("redirectToHttps"),
        "no proxy is trusted to say that a request came by https, so every request is redirected; set trustedProxies or tls",
        { because: [at("trustedProxies")] },
      ),
    );
  findings.push(...hstsOf(edge, at));
  const hosts = new Set(Object.values(services).flatMap(({ routes }) => routes.map(({ host }) => host)));
  const named = [...hosts].filter((host) => host !== null);
  if (edge.redirectWww && named.length === 0)
    findings.push(warning(at("redirectWww"), "has no effect: no route names a host", { because: [["services"]] }));
  for (const host of edge.redirectWww ? named : [])
    if (host.startsWith("www.") && !hosts.has(host.slice(4)))
      findings.push(
        error(at("redirectWww"), `${host} would be sent to ${host.slice(4)}, which no route answers; add that route`, {
          because: [["services"]],
        }),
      );
  return findings;
}

/** What is said once cannot be unsaid, so it must be meant. */
function hstsOf(
  { headers, hsts, tls, redirectToHttps, trustedProxies }: EdgeSpec,
  at: (...keys: string[]) => Path,
): Finding[] {
  if (hsts === undefined) return [];
  const findings: Finding[] = [];
  const isSet = hsts.maxAgeS > 0;
  if (headers[hstsHeader] !== undefined)
    findings.push(
      error(at("headers", hstsHeader), "edge.hsts says the same; leave one of them out", { because: [at("hsts")] }),
    );
  if (hsts.preload && (!hsts.includeSubDomains || hsts.maxAgeS < preloadLeastS))
    findings.push(
      error(at("hsts", "preload"), "needs includeSubDomains and a maxAge of at least 365d, or no list takes the name"),
    );
  if (tls === null && trustedProxies.length === 0)
    findings.push(warning(at("hsts"), "has no effect: it is said over TLS only; set tls", { because: [at("tls")] }));
  else if (tls !== null && redirectToHttps === false && isSet)
    findings.push(
      warning(at("hsts"), "who comes by plain HTTP is not told: redirectToHttps is false", {
        because: [at("redirectToHttps")],
      }),
    );
  return findings;
}
