import type { HealthInput, ServiceInput } from "../input.ts";
import type { ServiceSpec, TargetSpec } from "../spec.ts";
import { formatDuration } from "../units.ts";
import { error, type Finding, type Place, warning } from "./finding.ts";

/** What a service of a kind may and must have. */
export function checkServices({ merged, spec, where }: Place): readonly Finding[] {
  const names = Object.keys(merged.services);
  if (names.length === 0 && spec.compose === undefined)
    return [error(where(["services"]), "no services; a product has at least one")];
  return names.flatMap((name) => {
    const resolved = Object.values(spec.services).find((one) => one.name === name)!;
    const service: ServiceInput = { ...merged.services[name]!, kind: resolved.kind };
    const at = (...keys: readonly string[]) => where(["services", name, ...keys]);
    return [
      ...commandOf(service, at, spec.target.driver),
      ...kindOf(service, at),
      ...healthOf(service, resolved, at),
      ...envOf(service, at),
      ...secretsOf(service, at),
    ];
  });
}

type At = (...keys: readonly string[]) => Finding["at"];

/** One name, one value. */
export function secretsOf(
  { env = {}, secrets = [] }: Pick<ServiceInput, "env" | "secrets">,
  at: At,
): readonly Finding[] {
  return secrets
    .filter((name) => Object.hasOwn(env, name))
    .map((name) =>
      error(at("secrets"), `${name} is in env too; a variable has one value: take it out of one of the two`),
    );
}

function commandOf({ kind, command }: ServiceInput, at: At, driver: TargetSpec["driver"]): readonly Finding[] {
  const because = [at("kind")];
  if (kind === "static" && command !== undefined)
    return [
      error(at("command"), "a static service has no command, its files are served; leave it out, or use kind web", {
        because,
      }),
    ];
  if (kind !== "static" && command === undefined && driver === "process")
    return [error(at("command"), `missing; a ${kind} needs one, such as ["node", "server.js"]`, { because })];
  return [];
}

function kindOf({ kind, routes, instances, fallback, env }: ServiceInput, at: At): readonly Finding[] {
  const because = [at("kind")];
  const findings: Finding[] = [];
  const listens = kind === "web" || kind === "static";
  if (!listens && routes !== undefined && routes.length > 0)
    findings.push(
      error(at("routes"), `a ${kind} does not listen, so no request can reach it; leave it out, or use kind web`, {
        because,
      }),
    );
  if (kind === "job" && instances !== undefined)
    findings.push(error(at("instances"), "a job runs once in each deployment; leave it out", { because }));
  if (kind !== "static" && fallback !== undefined)
    findings.push(
      error(at("fallback"), "only a static service serves files; leave it out, or use kind static", { because }),
    );
  if (kind === "static" && env !== undefined && Object.keys(env).length > 0)
    findings.push(warning(at("env"), "a static service runs nothing of yours, so this has no effect", { because }));
  return findings;
}

const answerKeys = ["path", "status", "body"] as const;
const probeKeys = ["interval", "timeout", "retries"] as const;

function healthOf({ kind, health = {} }: ServiceInput, { health: resolved }: ServiceSpec, at: At): readonly Finding[] {
  const because = [at("kind"), at("health", "startPeriod"), at("health", "deadline")];
  const findings: Finding[] = [];
  const given = (keys: readonly (keyof HealthInput)[]) => keys.filter((key) => health[key] !== undefined);
  if (kind === "worker" || kind === "job") {
    const instead =
      kind === "job"
        ? "a job is healthy when it has ended with exit code 0"
        : "a worker is healthy when it has run for startPeriod";
    for (const key of given(answerKeys))
      findings.push(error(at("health", key), `a ${kind} does not listen: ${instead}; leave it out`, { because }));
    const idle = kind === "job" ? [...probeKeys, "startPeriod" as const] : probeKeys;
    for (const key of given(idle)) findings.push(warning(at("health", key), `has no effect: ${instead}`, { because }));
  }
  if (resolved.deadlineMs < resolved.startPeriodMs && kind !== "job") {
    const key = health.deadline === undefined ? "startPeriod" : "deadline";
    const [deadline, startPeriod] = [formatDuration(resolved.deadlineMs), formatDuration(resolved.startPeriodMs)];
    findings.push(
      error(
        at("health", key),
        `the deadline (${deadline}) is over before the start period (${startPeriod}); make the deadline longer`,
        { because },
      ),
    );
  }
  return findings;
}

function envOf({ kind, env = {} }: ServiceInput, at: At): readonly Finding[] {
  return Object.keys(env).flatMap((name) => {
    if (name === "PORT" && (kind === "web" || kind === "static"))
      return [
        error(at("env", name), "Slipway gives each instance a free port in PORT; leave it out and listen on it", {
          because: [at("kind")],
        }),
      ];
    return name.startsWith("SLIPWAY_")
      ? [error(at("env", name), "names that begin with SLIPWAY_ are set by Slipway; choose another")]
      : [];
  });
}
