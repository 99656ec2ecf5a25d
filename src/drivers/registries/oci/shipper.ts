import { SlipwayError } from "../../../core/errors/error.ts";
import type { Docker } from "../../../lib/docker/docker.ts";
import { type Shipment, ship } from "../../../lib/oci/ship.ts";
import type { RegistryProgress } from "../../../ports/registry.ts";
import type { ImageArtifact } from "../../../ports/target.ts";
import { translated } from "./errors.ts";

/** What is told of a shipment: to which engine, of which image. */
export type ShipNews = { readonly engine: string; readonly image: ImageArtifact };

/**
 * What the docker target takes as its `shipper`: brings an image of a layout to an engine without a registry, only the layers that it
 * lacks. May be repeated. Errors: ARTIFACT_MISSING, ARTIFACT_CORRUPT, IMAGE_MISSING, DISK_FULL, and those of the engine's connection.
 */
export function makeShipper(
  options: {
    readonly onProgress?: (news: ShipNews, progress: RegistryProgress) => void;
    readonly onShipped?: (news: ShipNews, shipment: Shipment) => void;
    /** Whether it has arrived or not. */
    readonly onEnd?: (news: ShipNews) => void;
  } = {},
): (image: ImageArtifact, engine: Docker, signal: AbortSignal) => Promise<void> {
  return async (image, engine, signal) => {
    const { layout } = image;
    const news = { engine: engine.url, image };
    if (layout === null)
      throw new SlipwayError("ARTIFACT_MISSING", { message: `no layout of ${image.digest} was kept` });
    try {
      const shipment = await translated(engine.url, () =>
        ship({ ...image, layout }, engine, (progress) => options.onProgress?.(news, progress), signal),
      );
      options.onShipped?.(news, shipment);
    } finally {
      options.onEnd?.(news);
    }
  };
}
