import fc from "fast-check";
import { expect, test } from "vitest";
import { guardedForm, isUnder, readPath, stripPrefix } from "./path.ts";

test("a plain path is itself, with the query only passed on", () => {
  expect(readPath("/")).toEqual({ decision: "/", forward: "/" });
  expect(readPath("/a/b.c?x=/../%2f")).toEqual({ decision: "/a/b.c", forward: "/a/b.c?x=/../%2f" });
  expect(readPath("/a;v=1/b~c:d@e!$&'()*+,=")?.decision).toBe("/a;v=1/b~c:d@e!$&'()*+,=");
});

test("dot segments are resolved, and what was decided about is what is passed on", () => {
  expect(readPath("/a/../admin")).toEqual({ decision: "/admin", forward: "/admin" });
  expect(readPath("/./a//./b/..?q")).toEqual({ decision: "/a/", forward: "/a/?q" });
  expect(readPath("/a//../admin")).toEqual({ decision: "/admin", forward: "/admin" });
});

test("the decision sees through percent signs and doubled slashes, which are passed on as they came", () => {
  expect(readPath("/%61dmin/x")).toEqual({ decision: "/admin/x", forward: "/%61dmin/x" });
  expect(readPath("//admin")).toEqual({ decision: "/admin", forward: "//admin" });
  expect(readPath("/caf%C3%A9")?.decision).toBe("/café");
  expect(readPath("/%E9")?.decision).toBe("/é");
  expect(readPath("/.well-known/x")?.decision).toBe("/.well-known/x");
});

test("disguises are refused", () => {
  for (const target of [
    "/%2e%2e/admin",
    "/a/.%2E/b",
    "/%2e/a",
    "/a%2fb",
    "/a%2Fb",
    "/a\\b",
    "/a%5cb",
    "/a%00b",
    "/a\0b",
    "/..",
    "/../a",
    "/a/../../b",
    "/%",
    "/%zz",
    "/%c0%ae%c0%ae/x",
    "/%c0%af",
    "/a b",
    "/a#b",
    "/\x7f",
  ])
    expect(readPath(target), JSON.stringify(target)).toBeNull();
});

test("a decision path has no dot segment and no empty segment, whatever came", () => {
  const piece = fc.constantFrom("/", ".", "..", "a", "%61", "%2e", "%2f", "\\", "?", "admin", "%", "//", ";", "é");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const path = readPath(`/${pieces.join("")}`);
      if (path === null) return;
      expect(path.decision).toMatch(/^\//);
      const inner = path.decision.split("/").slice(1);
      expect(inner.includes(".") || inner.includes("..") || inner.slice(0, -1).includes("")).toBe(false);
      // What is passed on means the same as what was decided about.
      expect(readPath(path.forward)?.decision).toBe(path.decision);
    }),
  );
});

test("a prefix is stripped from what is passed on, however it was spelled", () => {
  const strip = (target: string): string => stripPrefix(readPath(target)!, "/api");
  expect(strip("/api")).toBe("/");
  expect(strip("/api?x=1")).toBe("/?x=1");
  expect(strip("/api/a/b?x")).toBe("/a/b?x");
  expect(strip("//api/a")).toBe("/a");
  expect(strip("/%61pi/a/")).toBe("/a/");
  expect(strip("/api//evil.example")).toBe("/evil.example");
});

test("a prefix matches whole segments", () => {
  expect(isUnder("/api", "/api")).toBe(true);
  expect(isUnder("/api/x", "/api")).toBe(true);
  expect(isUnder("/apiary", "/api")).toBe(false);
  expect(isUnder("/x", "")).toBe(true);
});

test("an allow-list reads a path as the loosest service would", () => {
  expect(guardedForm("/Admin;jsessionid=1/Users;x")).toBe("/admin/users");
});
