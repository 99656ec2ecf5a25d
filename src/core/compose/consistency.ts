import type { ComposeModel, ComposeService } from "./model.ts";
import type { Notes } from "./notes.ts";
import { type At, field } from "./tree.ts";

/** What is wrong between the parts of a project, each of which is right by itself. */
export function checkConsistency(model: ComposeModel, notes: Notes): void {
  for (const service of Object.values(model.services)) {
    const at = ["services", service.name];
    checkSource(service, at, notes);
    checkReferences(service, model, at, notes);
    checkDoubled(service, at, notes);
    checkMounts(service, at, notes);
  }
  checkCycles(model, notes);
}

function checkSource(service: ComposeService, at: At, notes: Notes): void {
  const provided = field(service.other, "provider") !== undefined;
  if (service.image === null && service.build === null && !provided)
    notes.error(at, "it has neither an image nor a build", { allowed: "image, build, or both" });
  const platforms = service.build?.platforms ?? [];
  if (service.platform !== null && platforms.length > 0 && !platforms.includes(service.platform))
    notes.error([...at, "build", "platforms"], `the service runs on ${service.platform}, which is not built`);
}

function checkReferences(service: ComposeService, model: ComposeModel, at: At, notes: Notes): void {
  if (service.networkMode !== null && Object.keys(service.networks).length > 0)
    notes.error([...at, "network_mode"], "does not go together with networks; keep one of them");
  for (const name of Object.keys(service.networks))
    known(model.networks, name, "network", [...at, "networks", name], notes);
  for (const [name, { required }] of Object.entries(service.dependsOn)) {
    const off = field(model.disabled, name);
    if (field(model.services, name) !== undefined || (off !== undefined && !required)) continue;
    const profile = off === undefined ? "" : `; it is switched on by the profile ${off.join(" or ")}`;
    notes.error([...at, "depends_on", name], `there is no service ${name} here${profile}`, {
      allowed: `one of ${Object.keys(model.services).join(", ")}`,
    });
  }
  for (const [index, mount] of service.mounts.entries())
    if (mount.type === "volume" && mount.source !== null)
      known(model.volumes, mount.source, "volume", [...at, "volumes", index], notes);
  for (const { source } of service.secrets) known(model.secrets, source, "secret", [...at, "secrets"], notes);
  for (const { source } of service.configs) known(model.configs, source, "config", [...at, "configs"], notes);
  for (const { source } of service.build?.secrets ?? [])
    known(model.secrets, source, "secret", [...at, "build", "secrets"], notes);
}

function known(all: Readonly<Record<string, unknown>>, name: string, kind: string, at: At, notes: Notes): void {
  if (field(all, name) !== undefined) return;
  notes.error(at, `there is no ${kind} ${name}; add it under ${kind}s at the top of the file`, {
    allowed: Object.keys(all).length === 0 ? `a ${kind} of the file` : `one of ${Object.keys(all).join(", ")}`,
  });
}

/** The same said in the old and in the new way must be the same. */
function checkDoubled(service: ComposeService, at: At, notes: Notes): void {
  const { deploy, limits, scale, containerName } = service;
  const replicas = scale ?? deploy?.replicas ?? 1;
  const doubled = [
    ["scale", scale, "deploy.replicas", deploy?.replicas ?? null],
    ["cpus", limits.cpus, "deploy.resources.limits.cpus", deploy?.limits?.cpus ?? (deploy?.limits ? 0 : null)],
    [
      "mem_limit",
      limits.memoryBytes,
      "deploy.resources.limits.memory",
      deploy?.limits?.memoryBytes ?? (deploy?.limits ? 0 : null),
    ],
    [
      "mem_reservation",
      limits.memoryReservationBytes,
      "deploy.resources.reservations.memory",
      deploy?.reservations?.memoryBytes ?? (deploy?.reservations ? 0 : null),
    ],
    ["pids_limit", limits.pids, "deploy.resources.limits.pids", deploy?.limits?.pids ?? (deploy?.limits ? 0 : null)],
  ] as const;
  for (const [old, one, now, other] of doubled)
    if (one !== null && one !== 0 && other !== null && one !== other)
      notes.error([...at, old], `says something else than ${now}; keep one of them`, { seen: one });
  if (replicas > 1 && containerName !== null)
    notes.error([...at, "container_name"], `${replicas} containers cannot have one name; leave it out`, {
      seen: containerName,
    });
}

function checkMounts(service: ComposeService, at: At, notes: Notes): void {
  const taken = new Set(service.tmpfs.map((path) => path.split(":")[0]!));
  for (const [index, { target }] of service.mounts.entries()) {
    if (taken.has(target)) notes.error([...at, "volumes", index], `something else is mounted at ${target} already`);
    taken.add(target);
  }
}

/** Services that wait for each other never start. */
function checkCycles(model: ComposeModel, notes: Notes): void {
  const done = new Set<string>();
  for (const name of Object.keys(model.services)) {
    const cycle = cycleFrom(name, model, done);
    if (cycle === null) continue;
    notes.error(["services", name, "depends_on"], `waits for itself: ${cycle.join(" waits for ")}`);
    return;
  }
}

function cycleFrom(start: string, { services }: ComposeModel, done: Set<string>): readonly string[] | null {
  // With a stack of its own: a chain of ten thousand services is deeper than calls may be.
  const waiting = [{ name: start, left: needs(start) }];
  const inside = new Set([start]);
  for (let top = waiting.at(-1); top !== undefined; top = waiting.at(-1)) {
    const next = top.left.pop();
    if (next === undefined) {
      done.add(top.name);
      inside.delete(top.name);
      waiting.pop();
    } else if (inside.has(next)) {
      const names = waiting.map(({ name }) => name);
      return [...names.slice(names.indexOf(next)), next];
    } else if (!done.has(next) && field(services, next) !== undefined) {
      waiting.push({ name: next, left: needs(next) });
      inside.add(next);
    }
  }
  return null;

  function needs(name: string): string[] {
    return Object.keys(field(services, name)?.dependsOn ?? {});
  }
}
