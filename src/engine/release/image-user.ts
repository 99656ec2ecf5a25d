import { isSlipwayError, reasonOf } from "../../core/errors/error.ts";
import type { Digest } from "../../core/ids.ts";
import type { RegistrySpec } from "../../core/product/spec.ts";
import type { ReleasedImage } from "../../core/release/artifacts.ts";
import { linkedSignal } from "../../lib/linked-signal.ts";
import { parseConfig } from "../../lib/oci/documents.ts";
import { OciError } from "../../lib/oci/errors.ts";
import { Layout } from "../../lib/oci/layout.ts";
import type { World } from "../world.ts";
import { registryOf } from "./images.ts";

/** It is only for a word of a plan. */
const askMs = 10_000;

export function withUser(image: ReleasedImage, user: string | null): ReleasedImage {
  return user === null ? image : { ...image, user };
}

/** Of an image that was built; null for one of several platforms. */
export async function userInLayout(directory: string, digest: Digest): Promise<string | null> {
  const layout = await Layout.open(directory);
  try {
    const { config } = await layout.manifest(digest);
    return parseConfig(await layout.readWhole(config.digest)).config?.User ?? "";
  } catch (error) {
    if (error instanceof OciError) return null;
    throw error;
  }
}

/** Of an image that was there already; null when its registry does not say so in time. */
export async function userInRegistry(
  world: Pick<World, "images" | "log">,
  { from, digest }: ReleasedImage,
  registries: readonly RegistrySpec[],
  signal: AbortSignal,
): Promise<string | null> {
  if (from === null) return null;
  const { signal: limit, release } = linkedSignal([signal], askMs);
  try {
    return await world.images.registry(registryOf(from, registries)).user(from, digest, limit);
  } catch (error) {
    signal.throwIfAborted();
    if (!isSlipwayError(error) && !limit.aborted) throw error;
    world.log.info("image.user-unknown", { repository: from, image: digest, reason: reasonOf(error) });
    return null;
  } finally {
    release();
  }
}
