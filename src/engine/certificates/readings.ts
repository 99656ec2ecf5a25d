import type { CertificateStanding } from "../../core/certificates/standing.ts";
import type { EnvironmentName } from "../../core/ids.ts";

/** How a certificate of an environment's edge stood at the last look. */
export type CertificateReading = CertificateStanding & { readonly hosts: readonly string[] };

type At = { readonly product: string; readonly environment: EnvironmentName };

/** Written by whoever looks, read by whoever asks. */
export class CertificateReadings {
  readonly #of = new Map<string, readonly CertificateReading[]>();

  of(at: At): readonly CertificateReading[] {
    return this.#of.get(keyOf(at)) ?? [];
  }

  set(at: At, readings: readonly CertificateReading[]): void {
    this.#of.set(keyOf(at), readings);
  }

  /** Environments that are not there any more, or have no TLS, are forgotten. */
  keep(all: readonly At[]): void {
    const keys = new Set(all.map(keyOf));
    for (const key of this.#of.keys()) if (!keys.has(key)) this.#of.delete(key);
  }
}

function keyOf({ product, environment }: At): string {
  return `${product}/${environment}`;
}
