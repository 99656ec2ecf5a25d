import { expect, it } from "vitest";
import { commandProbe } from "./index.ts";

const run = (script: string, more: { readonly number?: boolean; readonly timeoutMs?: number } = {}) =>
  commandProbe({
    command: [process.execPath, "-e", script],
    directory: "/",
    env: { PATH: process.env.PATH ?? "", GIVEN: "yes" },
    timeoutMs: more.timeoutMs ?? 20_000,
    number: more.number ?? false,
  }).read(new AbortController().signal);

it("a command passes by its exit code, is told nothing but what it is given, and ends with its time", async () => {
  expect(await run("console.log('ok ' + process.env.GIVEN + process.env.HOME)")).toEqual({
    is: "pass",
    saw: "ok yesundefined",
  });
  expect(await run("console.error('disk is full'); process.exit(3)")).toEqual({
    is: "fail",
    saw: "exit code 3: disk is full",
  });
  expect(await run("setInterval(() => {}, 1000)", { timeoutMs: 100 })).toMatchObject({ is: "fail" });
  const none = { command: ["/nowhere/to/be/found"], directory: "/", env: {}, timeoutMs: 1_000, number: false };
  expect((await commandProbe(none).read(new AbortController().signal)).is).toBe("unknown");
});

it("a command that is a metric prints its number last", async () => {
  expect(await run("console.log('reading'); console.log(41.5)", { number: true })).toEqual({
    is: "pass",
    saw: "41.5",
    values: { value: 41.5 },
  });
  for (const bad of ["console.log('many')", "", "console.log(NaN)", "process.exit(1)"])
    expect((await run(bad, { number: true })).is).toBe("unknown");
});
