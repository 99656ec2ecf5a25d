import { expect, test } from "vitest";
import { readAbsoluteForm, readHost } from "./host.ts";

test("a valid host is its lower-case name and its port", () => {
  expect(readHost("Example.ORG:8080")).toEqual({ name: "example.org", port: ":8080" });
  expect(readHost("example.org.")).toEqual({ name: "example.org", port: "" });
  expect(readHost("[::1]:80")).toEqual({ name: "[::1]", port: ":80" });
  expect(readHost("127.0.0.1")).toEqual({ name: "127.0.0.1", port: "" });
  expect(readHost("my_service-1")).toEqual({ name: "my_service-1", port: "" });
});

test("what is no host is refused", () => {
  for (const text of [
    "",
    "a b",
    "a/b",
    "a,b",
    "a@b",
    "a:b",
    "a:99999",
    "a..b",
    "-a",
    "http://a",
    "a\tb",
    "[::1",
    "é.org",
    "a".repeat(300),
  ])
    expect(readHost(text), text).toBeNull();
});

test("an absolute form is its authority and its path", () => {
  expect(readAbsoluteForm("http://a.org/x?y")).toEqual({ authority: "a.org", target: "/x?y" });
  expect(readAbsoluteForm("HTTP://a.org")).toEqual({ authority: "a.org", target: "/" });
  expect(readAbsoluteForm("http://a.org?x")).toEqual({ authority: "a.org", target: "/?x" });
  expect(readAbsoluteForm("ftp://a.org/")).toBeNull();
});
