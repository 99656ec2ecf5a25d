import { expect, test } from "vitest";
import { parseCidr, parseListen, parseRoute } from "./addresses.ts";

test.each([
  ["/", { host: null, path: "/" }],
  ["/api/", { host: null, path: "/api" }],
  ["example.org", { host: "example.org", path: "/" }],
  ["api.example.org/v1/x", { host: "api.example.org", path: "/v1/x" }],
  ["localhost", { host: "localhost", path: "/" }],
])("the route %s", (text, route) => {
  expect(parseRoute(text)).toEqual(route);
});

test.each([
  "Example.org",
  "https://example.org",
  "example.org:80",
  "a..b",
  "-a.org",
  "//x",
  "/a//b",
  "/a/../b",
  "/a?b",
  "/a#b",
  "/a%20b",
  "/a b",
  "*.example.org",
  "é.org",
  "/a\\b",
])("%j is not a route", (text) => expect(parseRoute(text)).toBeNull());

test.each([
  [":8080", { host: "0.0.0.0", port: 8080 }],
  [8080, { host: "0.0.0.0", port: 8080 }],
  ["127.0.0.1:0", { host: "127.0.0.1", port: 0 }],
  ["localhost:80", { host: "localhost", port: 80 }],
  ["[::1]:443", { host: "::1", port: 443 }],
  ["[::]:443", { host: "::", port: 443 }],
])("listening at %s", (text, listen) => {
  expect(parseListen(text)).toEqual(listen);
});

test.each([
  "8080",
  "",
  ":",
  ":65536",
  ":-1",
  "::1:80",
  "[::1]",
  "[x]:80",
  "http://x:80",
  "a b:80",
  65_536,
  1.5,
  -1,
  Number.NaN,
])("%j is no place to listen", (text) => expect(parseListen(text)).toBeNull());

test.each([
  ["10.0.0.0/8", "10.0.0.0/8"],
  ["192.0.2.1", "192.0.2.1/32"],
  ["0.0.0.0/0", "0.0.0.0/0"],
  ["::1", "::1/128"],
  ["2001:DB8::/32", "2001:db8::/32"],
  ["::ffff:192.0.2.1", "::ffff:192.0.2.1/128"],
  ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8/128"],
])("the range %s", (text, range) => {
  expect(parseCidr(text)).toBe(range);
});

test.each([
  "",
  "10.0.0",
  "10.0.0.256",
  "010.0.0.1",
  "10.0.0.0/33",
  "10.0.0.0/",
  "10.0.0.0/8/8",
  "::1/129",
  "1:2:3",
  "1::2::3",
  "12345::",
  "localhost",
  "10.0.0.0/08x",
])("%j is not a range", (text) => expect(parseCidr(text)).toBeNull());
