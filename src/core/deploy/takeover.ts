import type { ServiceName } from "../ids.ts";
import { loneReason } from "../product/lone.ts";
import type { AccessorySpec, EnvironmentSpec, ServiceSpec } from "../product/spec.ts";

/** A container that docker compose has made, as far as a decision about it needs. */
export type Found = {
  /** Of the target's hosts; null where there is only one. */
  readonly host: string | null;
  readonly name: string;
  readonly service: string;
  readonly running: boolean;
  readonly hostPorts: readonly number[];
};

/** What becomes of the running containers of a Compose project when a release of it is deployed. */
export type Takeover<Each extends Found> = {
  /** Accessories: used as they are. */
  readonly kept: readonly Each[];
  /** Before their service starts, since they have what it needs for itself alone. */
  readonly stopFirst: readonly { readonly found: Each; readonly service: ServiceName; readonly has: string }[];
  /** They have a port that the edge is to listen on: it goes over at the switch. */
  readonly handOver: readonly { readonly found: Each; readonly port: number }[];
  /** Right after the switch: workers, of which there would be two. */
  readonly atSwitch: readonly Each[];
  /** When the release has passed its bake: until then who knows their port is answered there. */
  readonly atEnd: readonly Each[];
  /** Of services that the release does not have: nothing is done to them. */
  readonly strangers: readonly Each[];
};

/** Pure. Containers that do not run are nobody's concern. */
export function takeoverOf<Each extends Found>(spec: EnvironmentSpec, all: readonly Each[]): Takeover<Each> {
  const services = new Map(
    Object.values<ServiceSpec>(spec.services).map(
      (service) => [service.composed?.service ?? service.name, service] as const,
    ),
  );
  const accessories = new Set(
    Object.values<AccessorySpec>(spec.accessories).map(({ name, composed }) => composed?.service ?? name),
  );
  const running = all.filter((each) => each.running);
  const taken = {
    kept: running.filter(({ service }) => accessories.has(service)),
    strangers: running.filter(({ service }) => !accessories.has(service) && !services.has(service)),
    stopFirst: [] as { found: Each; service: ServiceName; has: string }[],
    handOver: [] as { found: Each; port: number }[],
    atSwitch: [] as Each[],
    atEnd: [] as Each[],
  };
  for (const found of running) {
    const service = services.get(found.service);
    if (service === undefined) continue;
    const port = found.hostPorts.find((each) => edgePortsAt(spec, found.host).includes(each));
    if (loneReason(service.container) !== null) {
      taken.stopFirst.push({ found, service: service.name, has: whatIsLone(service) });
    } else if (port !== undefined) taken.handOver.push({ found, port });
    else if (service.kind === "web") taken.atEnd.push(found);
    else taken.atSwitch.push(found);
  }
  return taken;
}

/** Where the edge listens, if it does so on this host: beside the control plane, or on a server that is one of the hosts. */
function edgePortsAt({ edge, target }: EnvironmentSpec, name: string | null): readonly number[] {
  const hosts = target.driver === "process" ? [] : target.hosts;
  const url = (name === null ? hosts[0] : hosts.find((host) => host.name === name))?.url ?? "";
  const isHere = edge.server === null ? url.startsWith("unix:") : machineOf(edge.server) === machineOf(url);
  if (!isHere) return [];
  return [edge.listen.port, ...(edge.tls === null ? [] : [edge.tls.listen.port])];
}

/** `ssh://deploy@vm1:2222` → `vm1` */
function machineOf(url: string): string | null {
  return /^ssh:\/\/(?:[^@/]*@)?([^:/]+)/.exec(url)?.[1] ?? null;
}

function whatIsLone({ container }: ServiceSpec): string {
  const [port] = container.hostPorts;
  const [volume] = container.volumes.filter(({ readOnly }) => !readOnly);
  return port !== undefined
    ? `port ${port.hostPort} of the host`
    : volume !== undefined
      ? `the volume ${volume.source}`
      : "no room beside it";
}

/** The same as a person reads it before: steps, and what they should know. */
export function takeoverText(
  project: string,
  { kept, stopFirst, handOver, atSwitch, atEnd, strangers }: Takeover<Found>,
): { readonly steps: readonly string[]; readonly warnings: readonly string[] } {
  const names = (all: readonly Found[]) => all.map(({ name }) => name).join(", ");
  const ports = (all: readonly Found[]) => [...new Set(all.flatMap(({ hostPorts }) => hostPorts))].join(", ");
  return {
    steps: [
      ...(kept.length > 0
        ? [
            `use ${names(kept)} of docker compose as ${kept.length === 1 ? "it is" : "they are"}: not stopped, not changed`,
          ]
        : []),
      ...stopFirst.map(
        ({ found, service, has }) => `stop ${found.name} of docker compose before ${service} starts: it has ${has}`,
      ),
      ...handOver.map(
        ({ found, port }) =>
          `at the switch, take port ${port} from ${found.name} of docker compose for the edge, and stop it`,
      ),
      ...(atSwitch.length > 0 ? [`after the switch, stop ${names(atSwitch)} of docker compose`] : []),
      ...(atEnd.length > 0
        ? [
            `when the release has passed its bake, stop ${names(atEnd)} of docker compose${ports(atEnd) === "" ? "" : `; until then port ${ports(atEnd)} answers as before`}`,
          ]
        : []),
    ],
    warnings: [
      ...handOver.map(
        ({ found, port }) =>
          `${found.name} of docker compose has port ${port}, which the edge is to listen on: for the moment in which it goes over, requests are refused, and those that it was answering are cut; with another port in edge.listen nothing is`,
      ),
      ...stopFirst.map(
        ({ found, service }) => `${service} does not answer from when ${found.name} stops until it is healthy`,
      ),
      ...(strangers.length > 0
        ? [
            `${names(strangers)} of the Compose project ${project} ${strangers.length === 1 ? "is" : "are"} of no service of this release, and left alone`,
          ]
        : []),
    ],
  };
}
