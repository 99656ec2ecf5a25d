import { describe, expect, it } from "vitest";
import { answerHeaders, covers, redirectsToHttps } from "./https.ts";
import type { ProductInput } from "./input.ts";
import { resolveEnvironment } from "./resolve.ts";
import { validateProduct } from "./validate.ts";

type Edge = NonNullable<ProductInput["edge"]>;
const certificate = { cert: "/c.pem", key: "/k.pem", hosts: ["shop.example", "*.wild.example"] };

function edgeOf(edge: Edge, here: NonNullable<ProductInput["environments"]>[string] = {}) {
  const services = { web: { kind: "web", command: ["x"], routes: ["shop.example", "/"] } } as const;
  const { config, problems } = validateProduct({ name: "shop", services, edge, environments: { production: here } });
  if (config === null) throw new Error(JSON.stringify(problems));
  return resolveEnvironment(config, "production").edge;
}

describe("plain HTTP is sent to https", () => {
  const redirected = (edge: Edge, ...hosts: (string | null)[]) =>
    hosts.map((host) => redirectsToHttps(edgeOf(edge), host));

  it("by itself where TLS has a certificate for the name of the route, and where services call each other not", () => {
    expect(redirected({ tls: {} }, "shop.example", null)).toEqual([true, false]);
    expect(redirected({}, "shop.example", null)).toEqual([false, false]);
    const tls = { acme: false as const, certificates: [certificate] };
    const hosts = ["shop.example", "a.wild.example", "a.b.wild.example", "other.example", null];
    expect(redirected({ tls }, ...hosts)).toEqual([true, true, false, false, false]);
    // By ACME nobody gets a wildcard.
    expect(redirected({ tls: {} }, "*.shop.example")).toEqual([false]);
  });

  it("always or never, where that is said", () => {
    expect(redirected({ redirectToHttps: true }, "shop.example", null)).toEqual([true, true]);
    expect(redirected({ tls: {}, redirectToHttps: false }, "shop.example", null)).toEqual([false, false]);
    const here = edgeOf({ tls: {}, redirectToHttps: false }, { edge: { redirectToHttps: null } });
    expect(redirectsToHttps(here, "shop.example")).toBe(true);
  });
});

it("a wildcard stands for one label", () => {
  expect(covers(["*.a.example"], "x.a.example")).toBe(true);
  expect(covers(["*.a.example"], "a.example")).toBe(false);
  expect(covers(["*.a.example"], "x.y.a.example")).toBe(false);
});

it("HSTS is a header like the others, in the words of its RFC, and an environment may have its own", () => {
  const said = (edge: Edge, here?: Parameters<typeof edgeOf>[1]) =>
    answerHeaders(edgeOf(edge, here))["strict-transport-security"];
  expect(said({ tls: {} })).toBeUndefined();
  expect(said({ tls: {}, hsts: { maxAge: "30d" } })).toBe("max-age=2592000");
  const hsts = { maxAge: "365d", includeSubDomains: true, preload: true } as const;
  expect(said({ tls: {}, hsts })).toBe("max-age=31536000; includeSubDomains; preload");
  expect(said({ tls: {}, hsts }, { edge: { hsts: { maxAge: "0s", preload: null } } })).toBe(
    "max-age=0; includeSubDomains",
  );
  expect(said({ tls: {}, hsts }, { edge: { hsts: false } })).toBeUndefined();
  expect(answerHeaders(edgeOf({ tls: {}, hsts }))).toMatchObject({ "x-content-type-options": "nosniff" });
});
