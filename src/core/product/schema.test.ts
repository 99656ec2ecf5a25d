import { Ajv } from "ajv";
import fc from "fast-check";
import { describe, expect, expectTypeOf, test } from "vitest";
import type { z } from "zod";
import type { ProductInput } from "./input.ts";
import { productJsonSchema } from "./json-schema.ts";
import { fullProduct, smallProduct } from "./samples.ts";
import { type ProductConfig, productSchema } from "./schema.ts";
import { type KeyPath, keyPaths } from "./tree.ts";
import { validateProduct } from "./validate.ts";

describe("the generated types", () => {
  test("are those of the schema", () => {
    expectTypeOf<z.input<typeof productSchema>>().toExtend<ProductInput>();
    expectTypeOf<ProductInput>().toExtend<z.input<typeof productSchema>>();
    expectTypeOf<ProductConfig>().toExtend<z.output<typeof productSchema>>();
  });

  test("let the compiler find what the schema refuses", () => {
    // @ts-expect-error an unknown key
    const unknownKey: ProductInput = { name: "a", services: {}, regoin: 1 };
    // @ts-expect-error a number has no unit
    const noUnit: ProductInput = { name: "a", services: {}, rollout: { bake: 30 } };
    // @ts-expect-error nor has a text
    const textWithoutUnit: ProductInput = { name: "a", services: {}, rollout: { bake: "30" } };
    // @ts-expect-error a command is an array
    const command: ProductInput = { name: "a", services: { web: { kind: "web", command: "node x" } } };
    // @ts-expect-error the same artifact is promoted
    const kind: ProductInput = { name: "a", services: {}, environments: { x: { services: { web: { kind: "job" } } } } };
    for (const product of [unknownKey, noUnit, textWithoutUnit, command, kind])
      expect(validateProduct(product).config).toBeNull();
  });
});

describe("the JSON Schema", () => {
  const validate = new Ajv({ strict: false, allErrors: true }).compile(productJsonSchema());

  test("accepts what we accept", () => {
    for (const product of [smallProduct, fullProduct]) {
      validate(product);
      expect(validate.errors).toBeNull();
    }
  });

  test.each([
    { name: "Shop", services: {} },
    { name: "shop", services: {}, regoin: 1 },
    { name: "shop", services: { web: { kind: "wbe" } } },
    { name: "shop", services: { web: { kind: "web", command: "node x" } } },
    { name: "shop", services: { "a b": { kind: "web" } } },
    { name: "shop", services: {}, rollout: { bake: "30" } },
    { name: "shop", services: {}, rollout: { batch: 2.5 } },
    { name: "shop", services: {}, environments: { a: { services: { web: { kind: "web" } } } } },
  ])("refuses %j, as we do", (product) => {
    expect(validate(product)).toBe(false);
    expect(validateProduct(product).config).toBeNull();
  });

  test("never refuses what we accept", () => {
    fc.assert(
      fc.property(fc.constantFrom(...keyPaths().filter(fits)), (key) => {
        const product = withExample(key);
        if (validateProduct(product).config === null) return;
        validate(product);
        expect(validate.errors).toBeNull();
      }),
      { numRuns: 300 },
    );
  });

  test("has every key's meaning, for the editor to show", () => {
    const text = JSON.stringify(productJsonSchema());
    for (const { doc } of keyPaths()) expect(text).toContain(JSON.stringify(doc.meaning));
  });
});

describe("every key's example", () => {
  test.each(
    keyPaths()
      .filter(fits)
      .map((key) => [key.path.join("."), key] as const),
  )("of %s is itself right", (_, key) => {
    const problems = productSchema.safeParse(withExample(key));
    expect(problems.error?.issues ?? []).toEqual([]);
  });
});

/** Keys in lists stand in their list's own example. */
function fits({ path }: KeyPath): boolean {
  return !path.some((part, index) => part === "*" && !["services", "environments"].includes(path[index - 1]!));
}

/** The small product with one key set to its example; what else its parent must have is there too. */
function withExample({ path, doc }: KeyPath): unknown {
  const names = path.map((part, index) =>
    part !== "*" ? part : path[index - 1] === "services" ? "web" : "production",
  );
  return put(smallProduct, names, doc.example);
}

function put(into: unknown, [name, ...rest]: readonly string[], value: unknown, parent = ""): unknown {
  if (name === undefined) return value;
  const base: Record<string, unknown> = { ...besides[parent], ...(into as object | undefined) };
  return { ...base, [name]: put(base[name], rest, value, name) };
}

/** What must stand beside a key of an object that the small product does not have. */
const besides: Readonly<Record<string, object>> = {
  build: { command: ["make"] },
  cors: { origins: ["*"] },
  hsts: { maxAge: "365d", includeSubDomains: true },
  rateLimit: { requests: 1, per: "1m" },
  synthetic: { path: "/", perSecond: 1 },
  target: { driver: "docker" },
  registry: { repository: "ghcr.io/acme/shop" },
  webhook: { forge: "github" },
  monday: { tokenFrom: "MONDAY_TOKEN", item: "1234567890" },
  pullRequests: { deploy: "preview" },
  cost: { instanceHour: 0, perMonth: 0 },
  cache: { endpoint: "https://s3.example.com", bucket: "acme-steps" },
  budget: { objective: "99.9%" },
};
