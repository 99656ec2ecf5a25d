import { isSeveral } from "../../build/platforms.ts";
import { loneReason } from "../lone.ts";
import type { ServiceSpec } from "../spec.ts";
import { error, type Finding, type Place, warning } from "./finding.ts";

/** Targets, edges and containers: what one of them cannot do, and what does not go together. */
export function checkPlaces(place: Place): readonly Finding[] {
  return [...targetOf(place), ...registryOf(place), ...containersOf(place), ...edgeOf(place)];
}

const portGiven = "has no effect: a process is given a free port in PORT; only a container has one of its own";

/** What is for containers, where no environment runs any: most often a driver that was forgotten. */
export function checkIdle(places: readonly Place[]): readonly Finding[] {
  if (places.some(({ spec }) => spec.target.driver !== "process")) return [];
  return places.flatMap(({ merged, spec, where }) => {
    const because = [where(["target", "driver"])];
    const why = "has no effect: no environment runs containers; set target.driver to docker";
    const accessories = merged.accessories === undefined ? [] : [warning(where(["accessories"]), why, { because })];
    const services = Object.values<ServiceSpec>(spec.services).flatMap(({ name }) =>
      (["port", "volumes", "hostPorts", "container"] as const)
        .filter((key) => merged.services[name]?.[key] !== undefined)
        .map((key) => warning(where(["services", name, key]), key === "port" ? portGiven : why, { because })),
    );
    return [...accessories, ...services];
  });
}

function targetOf({ spec, where }: Place): readonly Finding[] {
  if (spec.target.driver === "process") return [];
  const findings: Finding[] = [];
  const because = [where(["target", "driver"])];
  for (const { url, tls } of spec.target.hosts) {
    const isHere = /^tcp:\/\/(127\.|localhost[:/]|\[?::1)/.test(url);
    if (url.startsWith("tcp:") && tls === null && !isHere)
      findings.push(
        error(
          where(["target", "hosts"]),
          `${url} would be spoken to in clear, and whoever can do that is root there; give it tls, or use ssh`,
          { because },
        ),
      );
    if (tls === null) continue;
    if ((tls.cert === undefined) !== (tls.key === undefined))
      findings.push(
        error(where(["target", "hosts"]), `${url}: tls.cert and tls.key go together; give both, or neither`, {
          because,
        }),
      );
    else if (tls.cert === undefined)
      findings.push(
        warning(
          where(["target", "hosts"]),
          `${url} would be shown no certificate of ours: where nothing else asks who comes, whoever reaches it is root there`,
          { because },
        ),
      );
  }
  const many = spec.target.hosts.length > 1;
  for (const { name, port, hostPorts } of Object.values(spec.accessories)) {
    if (!many || port === null || hostPorts.some((each) => each.hostPort === port && each.port === port)) continue;
    findings.push(
      warning(
        where(["accessories", name]),
        `only services on its own host reach ${name}; for the others give it the host port "${port}:${port}"`,
        { because: [...because, where(["accessories", name, "hostPorts"])] },
      ),
    );
  }
  const names = spec.target.hosts.map(({ name }) => name);
  for (const name of new Set(names.filter((each, index) => names.indexOf(each) !== index)))
    findings.push(
      error(where(["target", "hosts"]), `two hosts are called ${name}; give one of them another name`, { because }),
    );
  for (const name of Object.keys(spec.accessories))
    if (Object.values<ServiceSpec>(spec.services).some((service) => service.name === name))
      findings.push(error(where(["accessories", name]), `a service is called ${name} too; choose another name`));
  return findings;
}

function registryOf({ spec, where }: Place): readonly Finding[] {
  const { registry } = spec;
  if (registry === null) return [];
  const at = (key: string) => where(["registry", key]);
  const findings: Finding[] = [];
  if (registry.passwordCommand !== undefined && registry.passwordFrom !== null)
    findings.push(
      error(at("passwordCommand"), "the password comes from a variable already; leave one of the two out", {
        because: [at("passwordFrom")],
      }),
    );
  if (registry.passwordCommand !== undefined && registry.user === null)
    findings.push(error(at("passwordCommand"), 'nobody logs in with it; say who, such as user: "AWS" for ECR'));
  return findings;
}

function containersOf({ merged, spec, where, composed }: Place): readonly Finding[] {
  const { target } = spec;
  if (target.driver === "process") return [];
  return Object.values<ServiceSpec>(spec.services).flatMap((service) => {
    const at = (...keys: readonly string[]) => where(["services", service.name, ...keys]);
    const because = [where(["target", "driver"]), at("kind")];
    const findings: Finding[] = [];
    const lone = loneReason(service.container);
    const hosts = target.hosts.length;
    if (lone === "hostPorts" && service.instances > hosts)
      findings.push(
        error(
          at("instances"),
          `${service.instances} instances on ${hosts} ${hosts === 1 ? "host" : "hosts"} cannot share one port of the host; use at most one a host`,
          { because: [...because, at("hostPorts")] },
        ),
      );
    if (lone === "volumes" && service.instances > 1)
      findings.push(
        warning(at("instances"), `${service.instances} instances write to the same volume, or each to its host's own`, {
          because: [...because, at("volumes")],
        }),
      );
    if (isSeveral(service.image.platforms))
      findings.push(
        error(
          composed === null ? at("image", "platforms") : where(["target", "file"]),
          `${composed === null ? "" : `${service.name}: `}an engine builds for one platform at a time, and ${service.image.platforms.join(", ")} are wanted; name the one of the servers`,
          { because: [where(["target", "driver"])] },
        ),
      );
    if (service.kind !== "web" && merged.services[service.name]?.port !== undefined)
      findings.push(warning(at("port"), `has no effect: a ${service.kind} does not listen`, { because }));
    return findings;
  });
}

function edgeOf({ spec, where }: Place): readonly Finding[] {
  const { edge } = spec;
  const at = (...keys: readonly string[]) => where(["edge", ...keys]);
  const because = [at("driver")];
  const findings: Finding[] = [];
  if (edge.driver === "embedded" && edge.server !== null)
    findings.push(
      error(at("server"), "the embedded edge runs beside the control plane; leave it out, or use caddy", { because }),
    );
  if (edge.driver === "caddy" && edge.rateLimit !== null)
    findings.push(
      error(at("rateLimit"), "stock Caddy cannot limit rates; limit them in the service, or use the embedded edge", {
        because,
      }),
    );
  if (edge.tls === null) return findings;
  const names = Object.values<ServiceSpec>(spec.services).flatMap(({ routes }) => routes.map(({ host }) => host));
  if (edge.tls.certificates.length === 0 && (edge.tls.acme === null || names.every((host) => host === null)))
    findings.push(
      error(at("tls"), "there is no certificate for any name; name hosts in the routes, or set certificates", {
        because: [where(["services"])],
      }),
    );
  if (edge.tls.listen.port === edge.listen.port && edge.tls.listen.host === edge.listen.host)
    findings.push(
      error(at("tls", "listen"), "plain HTTP listens there already; choose another port", { because: [at("listen")] }),
    );
  return findings;
}
