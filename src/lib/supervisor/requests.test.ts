import { expect, test } from "vitest";
import { SupervisorError, type UnitSpec } from "./contract.ts";
import { parseRequest } from "./requests.ts";

const spec: UnitSpec = {
  key: "a",
  labels: {},
  notes: {},
  mode: "service",
  command: ["true"],
  cwd: "/",
  env: {},
  idVariable: null,
  port: false,
  stopGraceMs: 0,
  memoryBytes: null,
  cpus: null,
};

const whole: Required<UnitSpec> = {
  ...spec,
  mode: "job",
  otherwise: { without: "/proc/1/fd/3", command: ["false"] },
  outputFile: "/tmp/output",
  niceness: 10,
  processes: 100,
};

test.each([["the least", spec] as const, ["everything", whole] as const])(
  "%s of a right request is passed on as it is",
  (_, asked) => {
    const request = { call: "ensure", spec: asked, instances: 2 };
    expect(parseRequest(JSON.stringify(request))).toEqual(request);
  },
);

test.each([
  ["no JSON", "{"],
  ["an unknown call", { call: "format" }],
  ["a path as key", { call: "ensure", spec: { ...spec, key: "../x" }, instances: 1 }],
  ["a shell string", { call: "ensure", spec: { ...spec, command: "rm -rf" }, instances: 1 }],
  ["an empty command", { call: "ensure", spec: { ...spec, command: [] }, instances: 1 }],
  ["a NUL in a value", { call: "ensure", spec: { ...spec, env: { A: "x\0y" } }, instances: 1 }],
  ["an equals sign in a name", { call: "ensure", spec: { ...spec, env: { "A=B": "" } }, instances: 1 }],
  ["a label that would hide the text", { call: "ensure", spec: { ...spec, labels: { text: "" } }, instances: 1 }],
  ["half an instance", { call: "ensure", spec, instances: 0.5 }],
  ["too many instances", { call: "ensure", spec, instances: 65 }],
  ["a bound that is no number", { call: "ensure", spec: { ...spec, processes: "many" }, instances: 1 }],
  [
    "a shell string instead",
    { call: "ensure", spec: { ...spec, otherwise: { without: "/", command: "rm" } }, instances: 1 },
  ],
  ["a negative grace", { call: "ensure", spec: { ...spec, stopGraceMs: -1 }, instances: 1 }],
  ["too long a tail", { call: "logs", selector: {}, tail: 10_001, follow: false }],
  ["a list as selector", { call: "observe", selector: [] }],
])("%s is refused", (_what, request) => {
  const line = typeof request === "string" ? request : JSON.stringify(request);
  expect(() => parseRequest(line)).toThrow(SupervisorError);
});
