import type { ServiceName } from "../ids.ts";
import type { AccessorySpec, ComposedSettings, EnvironmentSpec, ServiceSpec, VolumeSpec } from "../product/spec.ts";

/**
 * The Compose project of a preview is one of its own, with networks and volumes of its own whatever the file calls them; only what the
 * file calls external is everybody's. The name has dots, which no project of docker compose may have: nothing that docker compose runs
 * or has made can be taken for a preview's. Unchanged where there is no Compose file.
 */
export function ownProject(spec: EnvironmentSpec): EnvironmentSpec {
  const { compose, environment } = spec;
  if (compose === undefined) return spec;
  const project = `${compose.project}.${environment.replace("/", ".")}`;
  const services = Object.entries<ServiceSpec>(spec.services).map(
    ([name, service]) =>
      [
        name,
        {
          ...service,
          ...ownSettings(service.composed, project),
          container: { ...service.container, volumes: ownVolumes(service.container.volumes, project) },
        },
      ] satisfies [string, ServiceSpec],
  );
  const accessories = Object.entries(spec.accessories).map(
    ([name, accessory]) =>
      [
        name,
        {
          ...accessory,
          ...ownSettings(accessory.composed, project),
          volumes: ownVolumes(accessory.volumes, project),
        },
      ] satisfies [string, AccessorySpec],
  );
  return {
    ...spec,
    services: Object.fromEntries(services) as Record<ServiceName, ServiceSpec>,
    accessories: Object.fromEntries(accessories),
    compose: { ...compose, project },
  };
}

function ownSettings(composed: ComposedSettings | undefined, project: string): { composed?: ComposedSettings } {
  if (composed === undefined) return {};
  const networks = composed.networks.map((network) =>
    network.key === null ? network : { ...network, name: `${project}_${network.key}` },
  );
  return { composed: { ...composed, networks } };
}

function ownVolumes(volumes: readonly VolumeSpec[], project: string): readonly VolumeSpec[] {
  return volumes.map((volume) => {
    const key = volume.composed?.key ?? null;
    return key === null ? volume : { ...volume, source: `${project}_${key}` };
  });
}
