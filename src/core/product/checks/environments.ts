import { nearest } from "../guess.ts";
import type { ProductInput } from "../input.ts";
import type { EnvironmentSpec } from "../spec.ts";
import { error, type Finding, type Place, warning } from "./finding.ts";
import { cycles } from "./needs.ts";

/** Environments against each other: the way of promotion, services they speak of, and places to listen. */
export function checkEnvironments(
  product: ProductInput,
  places: readonly Place[],
  { unread }: { readonly unread: boolean },
): readonly Finding[] {
  return [...promotion(product), ...(unread ? [] : unknownServices(product, places)), ...listeners(places)];
}

function promotion({ environments = {} }: ProductInput): readonly Finding[] {
  const names = Object.keys(environments);
  const graph = new Map(names.map((name) => [name, [environments[name]!.promoteFrom ?? []].flat()]));
  const absent = names.flatMap((name) => {
    const from = environments[name]!.promoteFrom;
    if (from === undefined || graph.has(from)) return [];
    const guess = nearest(
      from,
      names.filter((other) => other !== name),
    );
    const advice = guess === null ? `the environments are ${names.join(", ")}` : `did you mean "${guess}"?`;
    const more = { because: [["environments", from]], ...(guess === null ? {} : { guess }) };
    return [error(["environments", name, "promoteFrom"], `there is no environment "${from}"; ${advice}`, more)];
  });
  const circles = cycles(graph).map((cycle) => {
    const message =
      cycle.length === 1
        ? `${cycle[0]} cannot wait for itself`
        : `${[...cycle, cycle[0]].join(" → ")} is a circle: no release could ever get in`;
    return error(["environments", cycle[0]!, "promoteFrom"], message);
  });
  const fromNowhere = names.flatMap((name) => {
    const { promoteFrom, promotion: by } = environments[name]!;
    if (by !== "automatic" || promoteFrom !== undefined) return [];
    const message = "nothing is promoted here; set promoteFrom to the environment before";
    return [error(["environments", name, "promotion"], message)];
  });
  return [...absent, ...circles, ...fromNowhere];
}

function unknownServices(
  { services: own = {}, environments = {} }: ProductInput,
  places: readonly Place[],
): readonly Finding[] {
  const services = {
    ...own,
    ...Object.fromEntries(places.flatMap(({ composed }) => Object.entries(composed?.services ?? {}))),
  };
  return Object.entries(environments).flatMap(([environment, here]) =>
    Object.keys(here.services ?? {}).flatMap((name) => {
      if (Object.hasOwn(services, name)) return [];
      const guess = nearest(name, Object.keys(services));
      const advice = guess === null ? "a service is described in services first" : `did you mean "${guess}"?`;
      const more = { because: [["services", name]], ...(guess === null ? {} : { guess }) };
      return [error(["environments", environment, "services", name], `there is no service "${name}"; ${advice}`, more)];
    }),
  );
}

/** One socket is held by one edge listener: two environments may share it only when the host tells them apart. */
function listeners(places: readonly Place[]): readonly Finding[] {
  return places.flatMap((place, index) =>
    places.slice(0, index).flatMap((earlier) => {
      const [mine, theirs] = [place.spec.edge.listen, earlier.spec.edge.listen];
      if (mine.port === 0 || mine.port !== theirs.port || !overlap(mine.host, theirs.host)) return [];
      const at = place.where(["edge", "listen"]);
      const because = [
        earlier.where(["edge", "listen"]),
        ["services"],
        ["environments", place.name, "services"],
        ["environments", earlier.name, "services"],
      ];
      const own = `${place.name} and ${earlier.name} both listen on port ${mine.port}`;
      const free = `give one of them its own, such as ":${mine.port === 65_535 ? 8081 : mine.port + 1}"`;
      // The finding belongs to the environment, also when the value is the product's or the default.
      const here = at[0] === "environments" ? at : ["environments", place.name, "edge", "listen"];
      if (mine.host !== theirs.host)
        return [error(here, `${own}, of ${mine.host} and of ${theirs.host}; ${free}`, { because })];
      const shared = [...hostsOf(place.spec)].filter((host) => hostsOf(earlier.spec).has(host));
      if (shared.length > 0)
        return [
          error(
            here,
            `${own} for ${shared.map((host) => host ?? "every host").join(", ")}; ${free}, or other hosts in its routes`,
            { because },
          ),
        ];
      const open = [place, earlier].find(({ spec }) => hostsOf(spec).has(null));
      return open === undefined
        ? []
        : [warning(here, `${own}; a host that no route names is answered by ${open.name}`, { because })];
    }),
  );
}

function overlap(a: string, b: string): boolean {
  const every = ["0.0.0.0", "::"];
  return a === b || every.includes(a) || every.includes(b);
}

function hostsOf({ services }: EnvironmentSpec): ReadonlySet<string | null> {
  return new Set(Object.values(services).flatMap(({ routes }) => routes.map(({ host }) => host)));
}
