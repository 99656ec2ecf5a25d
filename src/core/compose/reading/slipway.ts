import { isUrlPath, parseRoute } from "../../product/addresses.ts";
import type { RouteSpec } from "../../product/spec.ts";
import { Fields, oneOrMore, type Read, text } from "./fields.ts";

export const composeKinds = ["web", "worker", "job", "accessory"] as const;

/** `x-slipway` of a service: what a Compose file has no words for, or where our guess is wrong. Null: as guessed. */
export type SlipwayKeys = {
  readonly kind: (typeof composeKinds)[number] | null;
  /** Asked by GET to see whether an instance is healthy. */
  readonly healthPath: string | null;
  /** Which requests reach it; an empty list keeps it private. */
  readonly routes: readonly RouteSpec[] | null;
  /** The port it listens on inside. */
  readonly port: number | null;
  readonly instances: number | null;
  /** Whether the old one must have stopped before the new one starts. */
  readonly stopFirst: boolean | null;
};

export const slipwayKeys: Read<SlipwayKeys> = (value, at, notes) => {
  const fields = new Fields(value, at, notes);
  const found: SlipwayKeys = {
    kind: fields.choice("kind", composeKinds),
    healthPath: fields.read("health", healthPath),
    routes: fields.read("route", routes),
    port: fields.whole("port", { min: 1, max: 65_535 }),
    instances: fields.whole("instances", { min: 1, max: 100 }),
    stopFirst: fields.flag("stopFirst"),
  };
  fields.end();
  return found;
};

const healthPath: Read<string> = (value, at, notes) => {
  const path = text(value, at, notes);
  if (path === null || isUrlPath(path)) return path;
  notes.refuse(at, value, 'a path, such as "/up"');
  return null;
};

const routes: Read<readonly RouteSpec[]> = (value, at, notes) =>
  (oneOrMore(value, at, notes) ?? []).flatMap((route) => {
    const parsed = parseRoute(route);
    if (parsed !== null) return [{ ...parsed, strip: false }];
    notes.refuse(at, route, '"/api", "example.org" or "example.org/api", or a list of them');
    return [];
  });
