import { type ServiceName, serviceName } from "../../ids.ts";
import { canonicalJson } from "../canonical.ts";
import { nearest } from "../guess.ts";
import type { ServiceSpec } from "../spec.ts";
import { error, type Finding, type Place } from "./finding.ts";

const composeKeys = ["file", "project", "profiles", "envFile", "variables", "variablesFrom"] as const;

/** What a config says about a Compose project: that it is there, and that it is for target compose. */
export function checkCompose({ merged, composed, where, name }: Place): readonly Finding[] {
  if (composed === null) {
    return [
      ...composeKeys
        .filter((key) => merged.target?.[key] !== undefined)
        .map((key) =>
          error(where(["target", key]), "is for a Compose file; set target.driver to compose, or leave it out"),
        ),
      ...Object.entries(merged.services)
        .filter(([, { kind }]) => kind === undefined)
        .map(([service]) =>
          error(where(["services", service, "kind"]), "missing; use one of web, worker, job, static"),
        ),
      ...Object.entries(merged.accessories ?? {})
        .filter(([, { image }]) => image === undefined)
        .map(([accessory]) =>
          error(where(["accessories", accessory, "image"]), 'missing; use an image such as "redis:7.4"'),
        ),
    ];
  }
  const services = Object.keys(composed.services);
  const accessories = Object.keys(composed.accessories);
  const guessOf = (seen: string, known: readonly string[]) => {
    const guess = nearest(seen, known);
    return guess === null ? `it has ${known.join(", ") || "none"}` : `did you mean "${guess}"?`;
  };
  const strangers = Object.entries(merged.services).flatMap(([service, { kind }]) => {
    const at = where(["services", service]);
    if (accessories.includes(service))
      return [
        error(
          at,
          `${service} is an accessory by the Compose file; describe it in accessories, or set its x-slipway.kind there`,
        ),
      ];
    if (services.includes(service) || kind !== undefined) return [];
    return [
      error(at, `the Compose file has no service "${service}"; ${guessOf(service, services)}, or give it a kind`),
    ];
  });
  const others = Object.entries(merged.accessories ?? {}).flatMap(([accessory, { image }]) => {
    const at = where(["accessories", accessory]);
    if (services.includes(accessory))
      return [error(at, `${accessory} is released, by the Compose file; set its x-slipway.kind to accessory there`)];
    if (accessories.includes(accessory) || image !== undefined) return [];
    return [
      error(
        at,
        `the Compose file has no accessory "${accessory}"; ${guessOf(accessory, accessories)}, or give it an image`,
      ),
    ];
  });
  const empty =
    Object.keys(merged.services).length === 0 && services.length === 0
      ? [error(where(["target", "file"]), `nothing of it is released in ${name}: all are accessories, or switched off`)]
      : [];
  return [...strangers, ...others, ...empty];
}

/** Two environments of one project on one engine would be one; and the same image is promoted, so it is made in one way. */
export function checkProjects(places: readonly Place[]): readonly Finding[] {
  return places.flatMap((place, index) =>
    places.slice(0, index).flatMap((earlier) => [...shared(place, earlier), ...madeOtherwise(place, earlier)]),
  );
}

function shared(place: Place, earlier: Place): readonly Finding[] {
  const [mine, theirs] = [place.spec, earlier.spec];
  if (mine.compose === undefined || mine.compose.project !== theirs.compose?.project) return [];
  // Nothing runs in a template, and each preview is a project of its own.
  if (mine.previews !== undefined || theirs.previews !== undefined) return [];
  if (mine.target.driver !== "docker" || theirs.target.driver !== "docker") return [];
  const { hosts } = theirs.target;
  const both = mine.target.hosts.find(({ url }) => hosts.some((host) => host.url === url));
  if (both === undefined) return [];
  const { project } = mine.compose;
  return [
    error(
      ["environments", place.name, "target", "project"],
      `${place.name} and ${earlier.name} are both the Compose project ${project} on ${both.name}, with the same volumes and networks; give one of them another, such as "${project}-${place.name.replace("/", "-")}"`,
    ),
  ];
}

const madeBy = ["path", "build", "image"] as const satisfies readonly (keyof ServiceSpec)[];

function madeOtherwise(place: Place, earlier: Place): readonly Finding[] {
  if (place.composed === null) return [];
  return Object.keys(place.composed.services).flatMap((name) => {
    const at = serviceName(name) satisfies ServiceName;
    const [mine, theirs] = [place.spec.services[at], earlier.spec.services[at]];
    if (mine === undefined || theirs === undefined) return [];
    const key = madeBy.find((each) => canonicalJson(mine[each] as never) !== canonicalJson(theirs[each] as never));
    if (key === undefined) return [];
    return [
      error(
        ["environments", place.name, "target", "file"],
        `${name} is made otherwise here than in ${earlier.name} (${key}), and the same image is promoted; let the files differ in what it is told, not in how it is built`,
      ),
    ];
  });
}
