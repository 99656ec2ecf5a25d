import { readFileSync } from "node:fs";
import { Ajv, type ValidateFunction } from "ajv";
import type { ForgeKind } from "../../core/product/forges.ts";

/** A part of what a forge describes of its API; where it is from stands in the file. */
type Description = {
  readonly operations: Readonly<
    Record<
      string,
      {
        readonly query: readonly { readonly name: string }[];
        readonly body: object | null;
        readonly status: number;
        readonly answer?: unknown;
      }
    >
  >;
};

export type Operation = { readonly name: string; readonly status: number; readonly answer: unknown };

/** Finds which operation of a forge a request is, and what the forge would refuse in it. */
export class ForgeDescription {
  readonly #operations = new Map<string, { readonly path: RegExp; readonly bodyFits: ValidateFunction | null }>();
  readonly #description: Description;

  readonly #forge: string;

  constructor(forge: ForgeKind) {
    this.#forge = forge;
    const file = new URL(`./${forge}.openapi.json`, import.meta.url.replace("/dist/", "/src/"));
    this.#description = JSON.parse(readFileSync(file, "utf8")) as Description;
    const ajv = new Ajv({ strict: false, allErrors: true });
    ajv.addFormat("date-time", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
    for (const [name, { body }] of Object.entries(this.#description.operations)) {
      const path = new RegExp(`^${name.replace(/^\w+ /, "").replaceAll(/\{\w+\}/g, "([^/]+)")}$`);
      // A key that is not described is a slip of ours, though a forge would only pass it by.
      const strict =
        body === null ? null : { ...body, ...("properties" in body ? { additionalProperties: false } : {}) };
      this.#operations.set(name, { path, bodyFits: strict === null ? null : ajv.compile(strict) });
    }
  }

  /** Throws with what is wrong. */
  check(method: string, url: URL, body: unknown): Operation {
    for (const [name, { path, bodyFits }] of this.#operations) {
      if (!name.startsWith(`${method.toLowerCase()} `) || !path.test(url.pathname)) continue;
      const { query, status, answer = null } = this.#description.operations[name]!;
      const odd = [...url.searchParams.keys()].filter((key) => !query.some((known) => known.name === key));
      if (odd.length > 0) throw new Error(`${name} has no ${odd.join(", ")} in its query`);
      if (bodyFits !== null && !bodyFits(body))
        throw new Error(`${name} does not take ${JSON.stringify(body)}: ${JSON.stringify(bodyFits.errors)}`);
      return { name, status, answer };
    }
    throw new Error(`${this.#forge} has no ${method} ${url.pathname}`);
  }
}
