import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { RegistrySpec } from "../core/product/spec.ts";
import { RegistryLogins } from "./registry-logins.ts";

const host = "1234.dkr.ecr.eu-central-1.amazonaws.com";
let directory: string;
let nowMs = 0;
let logins: RegistryLogins;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "slipway-logins-"));
  nowMs = 0;
  logins = open();
});

afterEach(async () => {
  logins.close();
  await rm(directory, { recursive: true, force: true });
});

function open(timeoutMs?: number): RegistryLogins {
  return new RegistryLogins({
    env: { PATH: process.env.PATH, DIRECTORY: directory, TOKEN: "from a variable", EMPTY: "" },
    monotonicMs: () => nowMs,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  });
}

const printing = (script: string): RegistrySpec => ({
  repository: `${host}/shop`,
  user: "AWS",
  passwordFrom: null,
  passwordCommand: ["sh", "-c", script],
});
/** Each run prints another one. */
const counting = printing('echo run >>"$DIRECTORY/runs"; wc -l <"$DIRECTORY/runs"');
const runs = async () => (await readFile(join(directory, "runs"), "utf8")).trim().split("\n").length;
const passwordOf = async (...args: Parameters<RegistryLogins["at"]>) => (await logins.at(...args))?.password.reveal();

it("takes the password of a variable; without one, or elsewhere, it is nobody", async () => {
  const spec = { repository: `${host}/shop`, user: "bot", passwordFrom: "TOKEN" };
  expect(await passwordOf(spec, host)).toBe("from a variable");
  expect(await logins.at({ ...spec, passwordFrom: "EMPTY" }, host)).toBeNull();
  expect(await logins.at({ ...spec, passwordFrom: null }, host)).toBeNull();
  expect(await logins.at({ ...spec, user: null }, host)).toBeNull();
  expect(await logins.at(counting, "docker.io")).toBeNull();
  expect(await logins.at(null, host)).toBeNull();
});

it("runs the command once for all who ask at a time, and again when its password is old", async () => {
  expect(await Promise.all([1, 2, 3].map(() => passwordOf(counting, host)))).toEqual(["1", "1", "1"]);
  nowMs = 9 * 60_000;
  expect(await passwordOf(counting, host)).toBe("1");
  nowMs = 10 * 60_000;
  expect(await passwordOf(counting, host)).toBe("2");
});

it("runs it again when the password is refused: once, however many were refused with the same", async () => {
  const first = await logins.at(counting, host);
  const refused = first?.password ?? null;
  expect(await Promise.all([1, 2, 3].map(() => passwordOf(counting, host, refused)))).toEqual(["2", "2", "2"]);
  expect(await passwordOf(counting, host, refused)).toBe("2");
  expect(await runs()).toBe(2);
});

it("shows a password nowhere", async () => {
  const login = await logins.at(printing("echo hunter2"), host);
  expect(login?.password.reveal()).toBe("hunter2");
  expect(`${JSON.stringify(login)} ${login?.password}`).not.toContain("hunter2");
});

it.each([
  [
    "there is no such program",
    ["no-such-program-anywhere"],
    /no-such-program-anywhere could not be started \(.*ENOENT/,
  ],
  [
    "it fails",
    ["sh", "-c", "echo hunter2; echo first >&2; echo no hunter2 for you >&2; exit 3"],
    /ended with exit code 3$/,
  ],
  ["it prints nothing", ["sh", "-c", "echo"], /printed nothing$/],
  [
    "it prints more than a password",
    ["sh", "-c", "echo hunter2; echo hunter3"],
    /printed 2 lines, and a password is one/,
  ],
  ["it ends by a signal", ["sh", "-c", "kill -9 $$"], /was killed by SIGKILL$/],
  ["it does not end", ["sleep", "60"], /did not end within 300ms$/],
])("says when %s, and tries again when it is asked again", async (_, passwordCommand, message) => {
  logins = open(300);
  const spec = { ...counting, passwordCommand };
  for (let each = 0; each < 2; each++) {
    const failure: unknown = await logins.at(spec, host).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "REGISTRY_NO_PASSWORD", message: expect.stringMatching(message) });
    expect(failure).toMatchObject({ evidence: expect.arrayContaining([["command", passwordCommand.join(" ")]]) });
  }
});

it("tells the last line of its error output, without what it printed", async () => {
  const script = join(directory, "login");
  await writeFile(script, "echo hunter2; echo first >&2; echo no hunter2 for you >&2; exit 3");
  const failure = await logins
    .at({ ...counting, passwordCommand: ["sh", script] }, host)
    .catch((error: unknown) => JSON.stringify(error));
  expect(failure).toContain("no *** for you");
  expect(failure).not.toContain("hunter2");
});

it("ends the command when the control plane ends", async () => {
  const asked = logins.at({ ...counting, passwordCommand: ["sleep", "60"] }, host);
  logins.close();
  await expect(asked).rejects.toThrow("the control plane ends");
});
