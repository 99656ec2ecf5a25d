import type { ServiceName } from "../ids.ts";
import type { EnvironmentSpec, ServiceSpec } from "../product/spec.ts";
import type { ReleaseArtifacts } from "./artifacts.ts";

/** Whether a container's user is root, by name or by number, with a group or without; none is root too. */
export function isRoot(user: string): boolean {
  return /^(?:|root|0+)(?::.*)?$/.test(user);
}

/** A service that would run as root, as far as that is known, where its policy says something of it. */
export type RootUser = { readonly service: ServiceName; readonly policy: "warn" | "refuse"; readonly says: string };

/** Nothing is known of releases of before, and of images whose registry could not be asked. */
export function rootUsers({ target, services }: EnvironmentSpec, artifacts: ReleaseArtifacts): readonly RootUser[] {
  if (target.driver === "process") return [];
  return Object.values<ServiceSpec>(services).flatMap(({ name, container }) => {
    const policy = container.rootUser;
    const user = container.user ?? artifacts[name]?.image?.user;
    if (policy === "allow" || user === undefined || !isRoot(user)) return [];
    return [{ service: name, policy, says: policy === "warn" ? warned(name) : refused(name) }];
  });
}

function warned(name: ServiceName): string {
  return `${name} runs as root: give its image a USER, or the service a container.user; container.rootUser: "refuse" would refuse it, "allow" is silent`;
}

function refused(name: ServiceName): string {
  return `${name} would run as root, and its container.rootUser refuses that; give its image a USER, or the service a container.user`;
}
