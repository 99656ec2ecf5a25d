import { environmentName } from "../../ids.ts";
import { namePlace, templateOf } from "../../previews/name.ts";
import type { ProductInput } from "../input.ts";
import type { Path } from "../problems.ts";
import type { AccessorySpec, EnvironmentSpec, HostPortSpec, ServiceSpec, VolumeSpec } from "../spec.ts";
import { error, type Finding, type Place, warning } from "./finding.ts";

/** A preview has its own of everything: name, host, data. What all previews of a template would share is refused. */
export function checkPreviews(product: ProductInput, places: readonly Place[]): readonly Finding[] {
  const templates = places.filter(({ spec }) => spec.previews !== undefined);
  const names = new Set(templates.map(({ name }) => name));
  return [
    ...templates.flatMap((place) => [
      ...ofItself(place),
      ...sharedIn(place),
      ...takenHosts(place, places),
      ...sharedByCompose(place, places),
    ]),
    ...places.flatMap(({ name }) => inTemplatesName(name, names)),
    ...triggersOf(product, names),
  ];
}

function ofItself({ name, spec }: Place): readonly Finding[] {
  const at = ["environments", name];
  const nested = name.includes("/")
    ? [error([...at, "previews"], "a preview is called <template>/<branch>; give the template a name without a /")]
    : [];
  const promoted =
    spec.promoteFrom === null
      ? []
      : [error([...at, "promoteFrom"], "a preview has what its branch has; nothing is promoted to it")];
  const waking =
    spec.previews?.sleepMs != null && spec.edge.driver !== "embedded"
      ? [
          error(
            [...at, "previews", "sleep"],
            `${spec.edge.driver} cannot let requests wait until it is awake; use the embedded edge here`,
            {
              because: [
                ["edge", "driver"],
                [...at, "edge", "driver"],
              ],
            },
          ),
        ]
      : [];
  return [...nested, ...promoted, ...waking, ...databaseOf({ name, spec })];
}

function databaseOf({ name, spec }: Pick<Place, "name" | "spec">): readonly Finding[] {
  const database = spec.previews?.data?.postgres;
  if (database === undefined) return [];
  const at = ["environments", name, "previews", "data", "postgres"];
  const { template, dump, secret } = database;
  const both =
    template !== null && dump !== null
      ? [error([...at, "dump"], "it is a copy of its template already; name one of the two")]
      : [];
  const users = [...Object.values<ServiceSpec>(spec.services), ...Object.values(spec.accessories)];
  const isUsed = users.some(({ secrets = {} }) => secret in secrets) || spec.previews?.data?.seed !== null;
  const unused = isUsed
    ? []
    : [
        error(
          [...at, "secret"],
          `no service has the secret ${secret}; add it to the secrets of those that use the database`,
        ),
      ];
  return [...both, ...unused];
}

function sharedIn({ name, spec, where, composed }: Place): readonly Finding[] {
  // Processes have neither.
  if (spec.target.driver === "process") return [];
  const because = [["environments", name, "previews"]];
  // What a Compose file says stays as it is for the others.
  const here = (path: Path) => (composed === null ? where(path) : ["environments", name, ...path]);
  const leftOut = composed === null ? "leave it out here" : "set it to [] here";
  const both = (kind: string, each: string, things: Shareable): readonly Finding[] => [
    ...things.hostPorts.slice(0, 1).map(({ hostPort }) => {
      const message = `every preview would want port ${hostPort} of the host; ${leftOut}`;
      return error(here([kind, each, "hostPorts"]), message, { because });
    }),
    ...things.volumes
      .filter(({ source, readOnly, composed: made }) => (source.startsWith("/") || made?.key === null) && !readOnly)
      .map(({ source }) => {
        const another = source.startsWith("/") ? "by name" : "that is not external";
        const message = `every preview would write to ${source}; use a volume ${another}, or :ro`;
        return error(here([kind, each, "volumes"]), message, { because });
      }),
  ];
  return [
    ...Object.values<ServiceSpec>(spec.services).flatMap(({ name: each, container }) =>
      both("services", each, container),
    ),
    ...Object.values(spec.accessories)
      .filter(isMade)
      .flatMap((accessory) => both("accessories", accessory.name, accessory)),
  ];
}

const isMade = ({ composed }: AccessorySpec): boolean => (composed?.notMade ?? []).length === 0;

type Shareable = { readonly hostPorts: readonly HostPortSpec[]; readonly volumes: readonly VolumeSpec[] };

/** Of a Compose file: what is somebody else's is everybody's, and what only docker compose can make is nowhere. */
function sharedByCompose({ name, spec, composed, where }: Place, places: readonly Place[]): readonly Finding[] {
  if (composed === null) return [];
  const at = where(["target", "file"]);
  const because = [["environments", name, "previews"]];
  const outsiders = (all: readonly (ServiceSpec | AccessorySpec)[]) =>
    all.flatMap((each) =>
      (each.composed?.networks ?? []).filter(({ key }) => key === null).map((network) => [each.name, network] as const),
    );
  const accessories = Object.values(spec.accessories);
  const taken = outsiders(accessories).map(([each, network]) =>
    error(at, `in ${network.name}, which is external, ${each} of every preview would be called the same`, { because }),
  );
  const joined = outsiders(Object.values<ServiceSpec>(spec.services)).map(([each, network]) =>
    warning(at, `${each} of every preview is in ${network.name}, and reaches who else is in there`, { because }),
  );
  const unmade = accessories.flatMap(({ name: each, composed: made }) =>
    (made?.notMade ?? []).slice(0, 1).map((key) => {
      const message = `only docker compose can make ${each} (${key}), and nothing of a preview is its; leave it out here`;
      return error(["environments", name, "accessories", each], message, { because });
    }),
  );
  return [...taken, ...joined, ...unmade, ...sameValues({ name, spec, where }, places)];
}

/** A branch's code is given what is in these files: seldom meant, where production's passwords are in them. */
function sameValues({ name, spec, where }: Pick<Place, "name" | "spec" | "where">, places: readonly Place[]) {
  const paths = new Set(spec.compose?.outside.map(({ path }) => path));
  const others = places.filter((other) => other.spec.previews === undefined && other.name !== name);
  return others.flatMap((other) =>
    (other.spec.compose?.outside ?? [])
      .filter(({ path }) => paths.has(path))
      .slice(0, 1)
      .map(({ path }) => {
        const message = `previews are given what ${other.name} is given in ${path}; name another one in environments.${name}.target`;
        return warning(where(["target", "driver"]), message, { because: [["environments", name, "previews"]] });
      }),
  );
}

/** A branch called `www` must not be able to take www.example.org. */
function takenHosts({ name, spec }: Place, places: readonly Place[]): readonly Finding[] {
  const pattern = spec.previews?.host ?? "";
  const [before = "", after = ""] = pattern.split(namePlace);
  const isOne = (host: string): boolean =>
    host.startsWith(before) && host.endsWith(after) && !host.slice(before.length, -after.length).includes(".");
  return places.flatMap((other) => {
    if (other.spec.previews !== undefined && other.name === name) return [];
    return hostsOf(other.spec)
      .filter((host) => host === pattern || isOne(host))
      .slice(0, 1)
      .map((host) => {
        const message = `${host} of ${other.name} could be a preview's too; give previews a domain of their own, such as {name}.preview.example.org`;
        return error(["environments", name, "previews", "host"], message, { because: [other.where(["services"])] });
      });
  });
}

function hostsOf({ services, edge }: EnvironmentSpec): readonly string[] {
  const named = Object.values<ServiceSpec>(services).flatMap(({ routes }) => routes.map(({ host }) => host));
  return named.flatMap((host) => (host === null ? [] : edge.redirectWww ? [host, `www.${host}`] : [host]));
}

function inTemplatesName(name: string, templates: ReadonlySet<string>): readonly Finding[] {
  const template = templateOf(environmentName(name));
  if (template === null || !templates.has(template)) return [];
  return [error(["environments", name], `${template} makes the environments of this name; choose another one`)];
}

function triggersOf(
  { triggers = {}, environments = {} }: ProductInput,
  templates: ReadonlySet<string>,
): readonly Finding[] {
  const only = "is a template of previews; only branches and pull requests have one each";
  const others = (["tags", "schedules"] as const).flatMap((kind) =>
    Object.entries(triggers[kind] ?? {}).flatMap(([each, { deploy = "" }]) =>
      templates.has(deploy) ? [error(["triggers", kind, each, "deploy"], `${deploy} ${only}`)] : [],
    ),
  );
  const promoted = Object.entries(environments).flatMap(([each, { promoteFrom = "" }]) =>
    templates.has(promoteFrom)
      ? [error(["environments", each, "promoteFrom"], `${promoteFrom} is a template of previews; nothing lives in it`)]
      : [],
  );
  const pulls = triggers.pullRequests?.deploy;
  const plain =
    pulls !== undefined && Object.hasOwn(environments, pulls) && !templates.has(pulls)
      ? [
          error(
            ["triggers", "pullRequests", "deploy"],
            `${pulls} is one place for all; give it previews, or name a template`,
            {
              because: [["environments", pulls]],
            },
          ),
        ]
      : [];
  return [...others, ...promoted, ...plain];
}
