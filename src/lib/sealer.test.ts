import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { readOrMakeKey } from "./key-file.ts";
import { isSealed, Sealer } from "./sealer.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "slipway-sealer-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const sealer = (name = "key") => new Sealer(() => readOrMakeKey(join(directory, name)));

it("opens what it sealed, also when it is opened again, and shows nothing of it", () => {
  const sealed = sealer().seal("hünter2");
  expect(isSealed(sealed)).toBe(true);
  expect(Buffer.from(sealed.slice(10), "base64url").includes("nter2")).toBe(false);
  expect(sealer().open(sealed)).toBe("hünter2");
  expect(sealer().open(sealer().seal(""))).toBe("");
});

it("seals the same text the same way, and another otherwise", () => {
  expect(sealer().seal("a")).toBe(sealer().seal("a"));
  expect(sealer().seal("a")).not.toBe(sealer().seal("b"));
  expect(sealer().mark("a")).toBe(sealer().mark("a"));
  expect(sealer().mark("a")).not.toBe(sealer().mark("b"));
});

it("opens nothing that was changed, or sealed with another key", () => {
  const sealed = sealer().seal("secret");
  const changed = `${sealed.slice(0, -2)}${sealed.endsWith("AA") ? "BB" : "AA"}`;
  expect([
    sealer().open(changed),
    sealer("other").open(sealed),
    sealer().open("sealed:v1:"),
    sealer().open("plain"),
  ]).toEqual([null, null, null, null]);
  expect(sealer("other").mark("secret")).not.toBe(sealer().mark("secret"));
});

it("keeps its key where only its owner reads it", () => {
  sealer().mark("a");
  expect(statSync(join(directory, "key")).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(directory, "key"), "utf8")).toMatch(/^[\w-]{43}\n$/);
});
