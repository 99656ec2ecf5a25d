import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Secret } from "../../../core/secret.ts";
import { fileVault } from "./index.ts";

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "slipway-vault-"));
  file = join(directory, "secrets.key");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const owner = { product: "shop", environment: "production", name: "DATABASE_URL", version: 1 };
const value = new Secret("postgres://shop:hunter2@db/shop ☂");

it("what was sealed opens with the same key, for the same owner, and for nobody else", () => {
  const sealed = fileVault(file).seal(value, owner);
  expect(fileVault(file).open(sealed, owner).reveal()).toBe(value.reveal());
  expect(statSync(file).mode & 0o777).toBe(0o600);
  for (const other of [{ environment: "staging" }, { version: 2 }, { name: "OTHER" }, { product: "blog" }]) {
    expect(() => fileVault(file).open(sealed, { ...owner, ...other })).toThrow(/cannot be read/);
  }
  const changed = sealed.slice(0, -3) + (sealed.endsWith("AAA") ? "BBB" : "AAA");
  expect(() => fileVault(file).open(changed, owner)).toThrow(/cannot be read/);
  const stranger = fileVault(join(directory, "other.key"));
  stranger.fingerprint(value);
  expect(() => stranger.open(sealed, owner)).toThrow(expect.objectContaining({ code: "SECRET_UNREADABLE" }));
});

it("the same value is sealed differently and has the same fingerprint, which another key does not give", () => {
  const vault = fileVault(file);
  expect(vault.seal(value, owner)).not.toBe(vault.seal(value, owner));
  expect(vault.fingerprint(value)).toBe(fileVault(file).fingerprint(new Secret(value.reveal())));
  expect(vault.fingerprint(value)).not.toBe(vault.fingerprint(new Secret("other")));
  expect(vault.fingerprint(value)).not.toBe(fileVault(join(directory, "other.key")).fingerprint(value));
  expect(vault.seal(value, owner)).not.toContain("hunter2");
});

it("a key that others may read, or that is gone, is refused with words and never shows a value", () => {
  const sealed = fileVault(file).seal(value, owner);
  const key = readFileSync(file, "utf8").trim();
  chmodSync(file, 0o644);
  expect(() => fileVault(file).open(sealed, owner)).toThrow(/others than its owner/);
  rmSync(file);
  try {
    fileVault(file).open(sealed, owner);
    expect.unreachable();
  } catch (error) {
    expect(String(error)).toContain("is not there");
    expect(String(error)).not.toContain(key);
  }
});
