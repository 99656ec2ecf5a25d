import { copyFileSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { systemText, toolsOf } from "./tools.ts";

const root = mkdtempSync(join(tmpdir(), "slipway-tools-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A directory with a program, as one machine has it. */
function machine(name: string, put: (file: string) => void): string {
  const path = join(root, name);
  mkdirSync(path);
  put(join(path, "tool"));
  utimesSync(join(path, "tool"), name.length, name.length);
  return path;
}
const told = async (path: string) =>
  (await toolsOf(["tool"], { path, directory: root, env: { PATH: "/usr/bin:/bin" } })).tool;

it("the same program is the same wherever it lies, and another is another", async () => {
  const script = (says: string) => (file: string) =>
    writeFileSync(file, `#!/bin/sh\n[ "$1" = --version ] && echo ${says}\n`, { mode: 0o755 });
  const here = machine("here", script("1.0"));
  expect(await told(here)).toBe(await told(machine("elsewhere", script("1.0"))));
  expect(await told(here)).not.toBe(await told(machine("other", script("1.1"))));

  const own = machine("binary", (file) => copyFileSync("/bin/true", file));
  expect(await told(own)).toBe(await told(machine("its-copy", (file) => copyFileSync("/bin/true", file))));
  expect(await told(own)).not.toBe(await told(machine("not-it", (file) => copyFileSync("/bin/false", file))));

  // Too large to be read each time: it says what it is.
  const large = machine("large", (file) => copyFileSync(process.execPath, file));
  expect(await told(large)).toMatch(new RegExp(`^\\d+ ${process.version}$`));
  expect(await told(join(root, "nowhere"))).toBe("none");
  expect(systemText()).toMatch(/^linux \S+ .*\S$/);
});
