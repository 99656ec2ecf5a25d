/**
 * What a product's `slipway.config.ts` imports. Nothing runs here but an identity function, so a config costs nothing to
 * load; everything else is types.
 */
import type { ProductInput } from "./core/product/input.ts";

export type {
  EdgeInput,
  EnvironmentInput,
  HealthInput,
  ProductInput,
  RolloutInput,
  RouteInput,
  ServiceInput,
} from "./core/product/input.ts";
export type { Duration, Percent, Size } from "./core/product/units.ts";

/**
 * Types a product's config, so that the editor completes and explains every key. Returns what it is given, unchanged and
 * unchecked: `slipway validate` checks it.
 */
export function defineProduct(product: ProductInput): ProductInput {
  return product;
}
