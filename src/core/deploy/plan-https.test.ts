import { describe, expect, it } from "vitest";
import type { ProductInput } from "../product/input.ts";
import { resolveEnvironment } from "../product/resolve.ts";
import { validateProduct } from "../product/validate.ts";
import { httpsWarnings } from "./plan-https.ts";

function specOf(edge: NonNullable<ProductInput["edge"]>) {
  const services = { web: { kind: "web", command: ["x"], routes: ["shop.example", "/"] } } as const;
  const { config } = validateProduct({ name: "shop", services, edge });
  if (config === null) throw new Error("it is no config");
  return resolveEnvironment(config, "production");
}

const plain = specOf({ tls: {}, redirectToHttps: false });
const sent = specOf({ tls: {} });
const withHsts = (hsts: NonNullable<ProductInput["edge"]>["hsts"]) => specOf({ tls: {}, hsts });

describe("a plan", () => {
  it("says when plain HTTP that is served will be sent to https, and how to leave it", () => {
    expect(httpsWarnings(sent, plain)).toEqual([
      "plain HTTP to shop.example is sent to https from now on; edge.redirectToHttps: false serves it as before",
    ]);
    for (const [after, before] of [
      [sent, null],
      [sent, sent],
      [plain, sent],
    ] as const)
      expect(httpsWarnings(after, before)).toEqual([]);
  });

  it("says once what browsers will remember of HSTS, before they are told", () => {
    const month = withHsts({ maxAge: "30d" });
    const all = withHsts({ maxAge: "365d", includeSubDomains: true, preload: true });
    const words =
      "edge.hsts cannot be taken back: whoever comes by https refuses plain HTTP to these hosts for 30d from then on, also after a rollback";
    expect(httpsWarnings(month, null)).toEqual([words]);
    expect(httpsWarnings(month, sent)).toEqual([words]);
    expect(httpsWarnings(month, month)).toEqual([]);
    expect(httpsWarnings(month, all)).toEqual([]);
    const [wider] = httpsWarnings(all, month);
    expect(wider).toContain("these hosts and every name below them for 365d");
    expect(wider).toContain("it takes months to get off it");
  });

  it("says that leaving HSTS out makes nobody forget it, and what does", () => {
    const [left] = httpsWarnings(sent, withHsts({ maxAge: "30d" }));
    expect(left).toContain('for up to 30d; { maxAge: "0s" } makes them forget');
    expect(httpsWarnings(withHsts({ maxAge: "0s" }), withHsts({ maxAge: "30d" }))).toEqual([]);
    expect(httpsWarnings(sent, withHsts({ maxAge: "0s" }))).toEqual([]);
  });
});
