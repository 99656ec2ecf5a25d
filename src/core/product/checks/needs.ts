import { nearest } from "../guess.ts";
import type { ProductInput } from "../input.ts";
import type { ServiceSpec } from "../spec.ts";
import { error, type Finding, type Place, warning } from "./finding.ts";

/** Every needed service is there, once, and none needs itself, not even by way of others. */
export function checkNeeds({ name, merged, spec, where, composed }: Place, product: ProductInput): readonly Finding[] {
  const names = Object.keys(merged.services);
  const needs = ({ name, needs }: ServiceSpec) => [name, needs] as const;
  const graph = new Map<string, readonly string[]>(Object.values<ServiceSpec>(spec.services).map(needs));
  const absent = names.flatMap((service) =>
    graph.get(service)!.flatMap((needed, index) => {
      const at = [...where(["services", service, "needs"]), index];
      const because = [["services", needed]];
      if (graph.get(service)!.indexOf(needed) !== index) return [warning(at, `${needed} is named twice`)];
      if (graph.has(needed)) return [];
      if (Object.hasOwn({ ...product.services, ...composed?.services }, needed)) {
        const left = ["environments", name, "services", needed];
        return [
          error(at, `${needed} is left out of ${name}; leave ${service} out too, or keep ${needed}`, {
            because: [left],
          }),
        ];
      }
      const guess = nearest(
        needed,
        names.filter((other) => other !== service),
      );
      const advice = guess === null ? `the services are ${names.join(", ")}` : `did you mean "${guess}"?`;
      return [
        error(at, `there is no service "${needed}"; ${advice}`, { because, ...(guess === null ? {} : { guess }) }),
      ];
    }),
  );
  const circles = cycles(graph).map((cycle) => {
    const message =
      cycle.length === 1
        ? `${cycle[0]} needs itself`
        : `${[...cycle, cycle[0]].join(" → ")} is a circle: none of them could start first`;
    return error(where(["services", cycle[0]!, "needs"]), message, {
      because: cycle.map((service) => ["services", service, "needs"]),
    });
  });
  return [...absent, ...circles];
}

/** Each circle once, from its first member in the order of the graph. Edges to nodes that are not there are ignored. */
export function cycles(graph: ReadonlyMap<string, readonly string[]>): readonly (readonly string[])[] {
  const found: string[][] = [];
  const done = new Set<string>();
  for (const start of graph.keys()) {
    // Depth first, with an explicit stack of paths, so that a long chain cannot overflow ours.
    const path: { node: string; next: number }[] = done.has(start) ? [] : [{ node: start, next: 0 }];
    const onPath = new Set(path.map(({ node }) => node));
    while (path.length > 0) {
      const top = path.at(-1)!;
      const needed = graph.get(top.node)![top.next++];
      if (needed === undefined) {
        path.pop();
        onPath.delete(top.node);
        done.add(top.node);
      } else if (onPath.has(needed)) {
        found.push(path.slice(path.findIndex(({ node }) => node === needed)).map(({ node }) => node));
      } else if (graph.has(needed) && !done.has(needed)) {
        path.push({ node: needed, next: 0 });
        onPath.add(needed);
      }
    }
  }
  return found;
}
