import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { isSealed, Vault } from "./vault.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "slipway-vault-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const vault = (name = "key") => new Vault(join(directory, name));

it("opens what it sealed, also when it is opened again, and shows nothing of it", () => {
  const sealed = vault().seal("hünter2");
  expect(isSealed(sealed)).toBe(true);
  expect(Buffer.from(sealed.slice(10), "base64url").includes("nter2")).toBe(false);
  expect(vault().open(sealed)).toBe("hünter2");
  expect(vault().open(vault().seal(""))).toBe("");
});

it("seals the same text the same way, and another otherwise", () => {
  expect(vault().seal("a")).toBe(vault().seal("a"));
  expect(vault().seal("a")).not.toBe(vault().seal("b"));
  expect(vault().mark("a")).toBe(vault().mark("a"));
  expect(vault().mark("a")).not.toBe(vault().mark("b"));
});

it("opens nothing that was changed, or sealed with another key", () => {
  const sealed = vault().seal("secret");
  const changed = `${sealed.slice(0, -2)}${sealed.endsWith("AA") ? "BB" : "AA"}`;
  expect([
    vault().open(changed),
    vault("other").open(sealed),
    vault().open("sealed:v1:"),
    vault().open("plain"),
  ]).toEqual([null, null, null, null]);
  expect(vault("other").mark("secret")).not.toBe(vault().mark("secret"));
});

it("keeps its key where only its owner reads it", () => {
  vault();
  expect(statSync(join(directory, "key")).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(directory, "key"), "utf8")).toMatch(/^[\w-]{43}\n$/);
});
