import { Secret } from "../../../core/secret.ts";
import type { RevisionSpec } from "../../../ports/target.ts";

/** Given by the supervisor, because it differs between the instances of one revision. */
export const instanceVariable = "SLIPWAY_INSTANCE";

/** The machine's, not the control plane's: all that a program needs to find other programs and to print text and dates. */
const inherited = ["PATH", "HOME", "LANG", "TZ"] as const;

/**
 * The whole environment of a revision's processes: what it says itself wins over the defaults; who it is cannot be overridden.
 * Secrets are revealed here, on their way to the process.
 */
export function instanceEnvironment(
  spec: RevisionSpec,
  machine: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const env: Record<string, string> = { NODE_ENV: "production" };
  for (const name of inherited) {
    const value = machine[name];
    if (value !== undefined) env[name] = value;
  }
  for (const [name, value] of Object.entries(spec.env)) env[name] = value instanceof Secret ? value.reveal() : value;
  return {
    ...env,
    SLIPWAY_PRODUCT: spec.product,
    SLIPWAY_ENVIRONMENT: spec.environment,
    SLIPWAY_SERVICE: spec.service,
    SLIPWAY_RELEASE: spec.release,
    SLIPWAY_REVISION: spec.id,
  };
}
