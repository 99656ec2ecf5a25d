import fc from "fast-check";
import { expect, it } from "vitest";
import { environmentName } from "../ids.ts";
import { databaseName, isPostgresUrl, toolEnvironment, withDatabase } from "./database.ts";

const part = fc.stringMatching(/^[a-z][a-z0-9-]{0,38}[a-z0-9]$/);

it("every preview has a database of its own, of a name that PostgreSQL takes whole and without quotes", () => {
  fc.assert(
    fc.property(part, part, part, (product, own, other) => {
      const name = databaseName(product, environmentName(`preview/${own}`));
      expect(name).toMatch(/^[a-z][a-z0-9_]{1,62}$/);
      expect(name === databaseName(product, environmentName(`preview/${other}`))).toBe(own === other);
    }),
  );
  expect(databaseName("a-b", environmentName("preview/c"))).not.toBe(databaseName("a", environmentName("preview/b-c")));
  expect(databaseName("shop", environmentName("preview/pr-12"))).toMatch(/^shop_pr_12_[0-9a-f]{8}$/);
});

it("an address keeps its server, its role and its settings, and no password becomes an argument", () => {
  const url = "postgresql://s%20lip:p%40ss%2F1@[::1]:6432/shop?sslmode=verify-full&application_name=x";
  expect(withDatabase(url, "other")).toBe(url.replace("/shop?", "/other?"));
  expect(withDatabase("postgres://db.internal", "other")).toBe("postgres://db.internal/other");
  expect(toolEnvironment(url)).toEqual({
    PGHOST: "::1",
    PGPORT: "6432",
    PGUSER: "s lip",
    PGPASSWORD: "p@ss/1",
    PGDATABASE: "shop",
    PGSSLMODE: "verify-full",
    PGCONNECT_TIMEOUT: "10",
  });
  expect(toolEnvironment("postgres:///?host=/run/postgresql")).toMatchObject({
    PGHOST: "/run/postgresql",
    PGDATABASE: "postgres",
  });
  expect(["postgres://x/y", "mysql://x/y", "x", ""].map(isPostgresUrl)).toEqual([true, false, false, false]);
});
