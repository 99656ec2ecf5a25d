import type { EnvironmentName } from "../../core/ids.ts";

type At = { readonly product: string; readonly environment: EnvironmentName };

/** How what gates look at stood at the last look, by the environment that is waited for. In memory: a restart looks again. */
export class SeenLooks<Look> {
  readonly #seen = new Map<string, readonly Look[]>();

  of(at: At): readonly Look[] {
    return this.#seen.get(keyOf(at)) ?? [];
  }

  note(at: At, looks: readonly Look[]): void {
    this.#seen.set(keyOf(at), looks);
  }
}

const keyOf = ({ product, environment }: At): string => `${product}/${environment}`;
