import fc from "fast-check";
import { expect, it } from "vitest";
import { type Challenge, parseChallenge, parseToken, tokenUrl } from "./registry-auth.ts";

const bearer = (realm: string): Extract<Challenge, { scheme: "bearer" }> => ({
  scheme: "bearer",
  realm,
  service: "registry.example",
  scope: null,
});

it.each([
  [
    'Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:acme/web:pull"',
    { scheme: "bearer", realm: "https://ghcr.io/token", service: "ghcr.io", scope: "repository:acme/web:pull" },
  ],
  [
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io"',
    { scheme: "bearer", realm: "https://auth.docker.io/token", service: "registry.docker.io", scope: null },
  ],
  ['Basic realm="https://1234.dkr.ecr.eu-central-1.amazonaws.com/",service="ecr.amazonaws.com"', { scheme: "basic" }],
  ["basic", { scheme: "basic" }],
  ["Negotiate", null],
  ["Bearer service=x", null],
  ["", null],
])("%s", (header, challenge) => {
  expect(parseChallenge(header)).toEqual(challenge);
});

it("asks the token server for every scope", () => {
  const url = tokenUrl(
    bearer("https://auth.example/token?a=1"),
    "repository:a:pull,push repository:b:pull",
    new URL("https://r.example"),
  );
  expect(url.searchParams.getAll("scope")).toEqual(["repository:a:pull,push", "repository:b:pull"]);
  expect(url.searchParams.get("a")).toBe("1");
});

it("gives no password to a token server in clear, unless the registry is spoken to in clear too", () => {
  expect(() => tokenUrl(bearer("http://evil.example/token"), "", new URL("https://r.example"))).toThrow(/not safe/);
  expect(() => tokenUrl(bearer("file:///etc/passwd"), "", new URL("http://r.example"))).toThrow(/not safe/);
  expect(() => tokenUrl(bearer("no url"), "", new URL("https://r.example"))).toThrow(/not safe/);
  expect(tokenUrl(bearer("http://lan/token"), "", new URL("http://r.lan")).host).toBe("lan");
});

it("takes both names of a token, and none that is not there", () => {
  expect(parseToken(Buffer.from('{"access_token":"t","expires_in":3}'))).toEqual({ value: "t", lifeMs: 3_000 });
  expect(() => parseToken(Buffer.from("{}"))).toThrow(/without a token/);
  expect(() => parseToken(Buffer.from("<html>"))).toThrow(/no JSON/);
});

it("no header makes the parser throw or wait", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 20_000, unit: "binary" }), (text) => {
      parseChallenge(text);
      parseChallenge(`Bearer realm="${text}"`);
    }),
  );
});
