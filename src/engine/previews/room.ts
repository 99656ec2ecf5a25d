import { join } from "node:path";
import type { EnvironmentName } from "../../core/ids.ts";
import { ownPart, previewHost } from "../../core/previews/name.ts";
import { isPreview, previewUrl } from "../../core/previews/spec.ts";
import type { EnvironmentSpec } from "../../core/product/spec.ts";
import type { World } from "../world.ts";

/** What a preview has on the control plane's machine; all of it goes with the preview. */
export type Room = {
  readonly directory: string;
  /** SLIPWAY_DATA_DIR: only what is made by its commands and its processes. */
  readonly data: string;
  /** The checkout that its commands run in. */
  readonly source: string;
  readonly home: string;
  readonly temporary: string;
  /** What each command has said. */
  readonly logs: string;
};

export function roomOf(world: Pick<World, "previewsDirectory">, environment: EnvironmentName): Room {
  const directory = join(world.previewsDirectory, environment.replace("/", "_"));
  return {
    directory,
    data: join(directory, "data"),
    source: join(directory, "source"),
    home: join(directory, "home"),
    temporary: join(directory, "tmp"),
    logs: join(directory, "logs"),
  };
}

/** What a preview's processes and commands are told of it; nothing in an environment that is none. Containers do not see the directory. */
export function toldOf(world: Pick<World, "previewsDirectory">, spec: EnvironmentSpec): Record<string, string> {
  const { previews, environment, target } = spec;
  if (previews === undefined || !isPreview(spec)) return {};
  return {
    SLIPWAY_PREVIEW: ownPart(environment),
    SLIPWAY_URL: previewUrl(spec, previewHost(previews.host, environment)),
    ...(target.driver === "process" ? { SLIPWAY_DATA_DIR: roomOf(world, environment).data } : {}),
  };
}
