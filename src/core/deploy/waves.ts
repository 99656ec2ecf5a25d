import type { ServiceName } from "../ids.ts";

/**
 * Services grouped so that each group needs only earlier groups: a group may start together. Order inside a group is the
 * order given. The needs must be free of cycles, which validation has made sure of.
 */
export function waves(
  services: readonly { readonly name: ServiceName; readonly needs: readonly ServiceName[] }[],
): ServiceName[][] {
  const known = new Set(services.map((service) => service.name));
  const done = new Set<ServiceName>();
  const result: ServiceName[][] = [];
  let waiting = [...services];
  while (waiting.length > 0) {
    const ready = waiting.filter((service) => service.needs.every((need) => done.has(need) || !known.has(need)));
    if (ready.length === 0)
      throw new Error(`services need each other: ${waiting.map((service) => service.name).join(", ")}`);
    for (const service of ready) done.add(service.name);
    result.push(ready.map((service) => service.name));
    waiting = waiting.filter((service) => !done.has(service.name));
  }
  return result;
}
