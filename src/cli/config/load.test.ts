import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SlipwayError } from "../../core/errors/error.ts";
import { fullProduct, smallProduct } from "../../core/product/samples.ts";
import { findConfig } from "./find.ts";
import { jsonFault } from "./json-fault.ts";
import { inspectConfig, loadConfig, loadConfigText, loadNearestConfig } from "./load.ts";

let directory: string;
beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "slipway-config-")));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function put(path: string, text: string | Uint8Array): string {
  const file = join(directory, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

async function refusal(promise: Promise<unknown>): Promise<SlipwayError> {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SlipwayError);
  return error as SlipwayError;
}

const yaml = `
name: shop
services:
  web:
    kind: web
    command: [node, server.js]
`;
const typescript = `
import { defineProduct } from "slipway";
import { port } from "./port.ts";

const command: string[] = ["node", "server.js"];
export default defineProduct({ name: "shop", services: { web: { kind: "web", command } } } satisfies { name: string } as never);
`;

describe("a config is read", () => {
  test("from TypeScript, with our own import though slipway is not installed there", async () => {
    put("slipway.config.ts", typescript);
    put("port.ts", "export const port: number = 3000;");
    expect(await loadConfig({ directory })).toEqual({
      file: join(directory, "slipway.config.ts"),
      config: smallProduct,
      problems: [],
    });
  });

  test.each([
    ["slipway.config.mjs", `export default ${JSON.stringify(fullProduct)}`],
    ["slipway.config.js", `export default Promise.resolve(${JSON.stringify(fullProduct)})`],
    ["slipway.config.js", `module.exports = ${JSON.stringify(fullProduct)}`],
    ["slipway.config.mts", `export default (await Promise.resolve(${JSON.stringify(fullProduct)})) as unknown`],
    ["slipway.config.json", JSON.stringify(fullProduct, null, 2)],
    ["slipway.config.yaml", JSON.stringify(fullProduct)],
  ])("from %s: %.20s", async (name, text) => {
    put(name, text);
    expect((await loadConfig({ directory })).config).toEqual(fullProduct);
  });

  test("from YAML, with anchors and merges", async () => {
    put(
      "slipway.config.yml",
      `${yaml}    env: &env { A: "1" }\n  api:\n    kind: web\n    command: [x]\n    routes: /api\n    env:\n      <<: *env\n      B: "2"\n`,
    );
    expect((await loadConfig({ directory })).config.services?.api?.env).toEqual({ A: "1", B: "2" });
  });

  test("from a text at hand, as it is in another commit", async () => {
    put("port.ts", "export const port = 1;");
    expect((await loadConfigText("slipway.config.ts", typescript, directory)).config).toEqual(smallProduct);
    expect((await loadConfigText("slipway.config.yaml", yaml, directory)).config).toEqual(smallProduct);
  });

  test("with a byte order mark", async () => {
    put("slipway.config.json", `\uFEFF${JSON.stringify(smallProduct)}`);
    expect((await loadConfig({ directory })).config).toEqual(smallProduct);
  });

  test("again after it was changed", async () => {
    put("slipway.config.ts", 'export default { name: "one", services: { a: { kind: "static" } } }');
    expect((await loadConfig({ directory })).config.name).toBe("one");
    put("slipway.config.ts", 'export default { name: "two", services: { a: { kind: "static" } } }');
    expect((await loadConfig({ directory })).config.name).toBe("two");
  });
});

describe("a config is found", () => {
  test("upward, to the top of the repository and no further", async () => {
    put("slipway.config.yaml", yaml);
    mkdirSync(join(directory, "repo/.git"), { recursive: true });
    mkdirSync(join(directory, "repo/apps/web"), { recursive: true });
    mkdirSync(join(directory, "apps/web"), { recursive: true });
    expect(findConfig(join(directory, "apps/web"))).toBe(join(directory, "slipway.config.yaml"));
    expect((await loadNearestConfig(join(directory, "apps"))).config).toEqual(smallProduct);
    expect(() => findConfig(join(directory, "repo/apps/web"))).toThrow(
      expect.objectContaining({ code: "CONFIG_NOT_FOUND" }),
    );
  });

  test("but not above a directory that was named exactly", async () => {
    put("slipway.config.yaml", yaml);
    mkdirSync(join(directory, "checkout"));
    expect(await refusal(loadConfig({ directory: join(directory, "checkout") }))).toMatchObject({
      code: "CONFIG_NOT_FOUND",
    });
  });

  test("unless there are two", async () => {
    put("slipway.config.yaml", yaml);
    put("slipway.config.ts", typescript);
    const error = await refusal(loadConfig({ directory }));
    expect(error.code).toBe("CONFIG_UNREADABLE");
    expect(error.evidence).toEqual([
      ["found", "slipway.config.ts"],
      ["found", "slipway.config.yaml"],
    ]);
  });

  test("and a file with nearly its name is named", async () => {
    put("slipway.yml", yaml);
    expect((await refusal(loadConfig({ directory }))).evidence).toEqual([["found", "slipway.yml, which is not read"]]);
  });
});

describe("a config that is wrong", () => {
  test("is refused with every problem as evidence", async () => {
    put("slipway.config.json", '{"name":"Shop","services":{}}');
    const error = await refusal(loadConfig({ directory }));
    expect(error).toMatchObject({ code: "CONFIG_INVALID", message: "slipway.config.json has 2 problems" });
    expect(error.evidence).toEqual([
      ["name", '"Shop" is not a name for a product; did you mean "shop"?'],
      ["services", "no services; a product has at least one"],
    ]);
  });

  test("is only looked at, for validate", async () => {
    const file = put("slipway.config.json", '{"name":"Shop"}');
    expect(await inspectConfig(file)).toMatchObject({
      file,
      config: null,
      problems: [{ path: "name" }, { path: "services" }],
    });
  });
});

describe("a config that cannot be read says where and why", () => {
  test.each([
    [
      "slipway.config.json",
      '{\n  "name": "x",\n}',
      "slipway.config.json:3:1: there is a comma before the end; leave it out",
    ],
    ["slipway.config.json", '{ "a": 1, "a": 2 }', 'slipway.config.json:1:11: the key "a" is there twice'],
    ["slipway.config.json", "{ // x\n }", "slipway.config.json:1:3: JSON has no comments; leave it out, or use YAML"],
    ["slipway.config.json", '{ "a": ', "slipway.config.json:1:8: it ends too soon; a value is missing"],
    ["slipway.config.json", "{ 'a': 1 }", `slipway.config.json:1:3: "'" is not a key in "`],
    ["slipway.config.json", "", "slipway.config.json is empty"],
    ["slipway.config.yaml", "name: x\nname: y\n", "slipway.config.yaml:2:1: this key is there twice"],
    [
      "slipway.config.yaml",
      "a: [1, 2\nb: 3\n",
      "slipway.config.yaml:2:1: Flow sequence in block collection must be sufficiently indented and end with a ]",
    ],
    ["slipway.config.yaml", "a: !env X\n", "slipway.config.yaml:1:4: Unresolved tag: !env"],
    [
      "slipway.config.yaml",
      "a: 1\n---\nb: 2\n",
      "slipway.config.yaml:2:1: there are two documents in this file; keep one",
    ],
    [
      "slipway.config.ts",
      'const a = 1;\nexport default { name: "x" services: 1 };',
      'slipway.config.ts:2:27: Unexpected token, expected ","',
    ],
    [
      "slipway.config.ts",
      "const a = null as never;\n\nexport default { name: (a as any).b.c };",
      "slipway.config.ts:3: its code failed: Cannot read properties of null (reading 'b')",
    ],
    [
      "slipway.config.ts",
      'import x from "not-there";\nexport default x;',
      "slipway.config.ts:1: Cannot find module 'not-there'",
    ],
    ["slipway.config.ts", 'throw "just so";', "slipway.config.ts: its code failed: just so"],
    ["slipway.config.ts", "export const product = {};", "slipway.config.ts: it has no default export"],
    ["slipway.config.ts", "export default () => ({});", "slipway.config.ts: it exports a function"],
    ["slipway.config.ts", "export default { a: [{ b() {} }] };", "slipway.config.ts: a[0].b is a function"],
    ["slipway.config.ts", "export default { at: new Date() };", "slipway.config.ts: at is a Date"],
    ["slipway.config.ts", "const a: any = {}; a.a = a; export default a;", /deeper than 32 levels/],
    [
      "slipway.config.ts",
      "export default { get name() { throw new Error('no'); } };",
      "slipway.config.ts:1: its code failed: no",
    ],
    ["slipway.config.ts", "process.exit(0);", "slipway.config.ts: it ended before it exported anything"],
    [
      "slipway.config.ts",
      "export default new Promise(() => {});",
      "slipway.config.ts: it ended before it exported anything",
    ],
  ])("%s: %j", async (name, text, message) => {
    put(name, text);
    const error = await refusal(loadConfig({ directory }));
    expect(error.code).toBe("CONFIG_UNREADABLE");
    if (typeof message === "string") expect(error.message).toBe(message);
    else expect(error.message).toMatch(message);
  });

  test.each([
    ["export default { name: };", /^fix the file's syntax there/],
    ['import x from "@acme/ports/web";\nexport default x;', /npm install @acme\/ports;/],
    ['import x from "./ports.ts";\nexport default x;', /^correct the path of the import/],
    ['export default JSON.parse("{");', /what it does there failed: mend that line/],
    ["export default { name: 'x' + };", /^fix the file's syntax there/],
    ["throw new Error('not today');", /what it does there failed: mend that line/],
  ])("and what is to be done about it: %j", async (text, hint) => {
    put("slipway.config.ts", text);
    expect(await refusal(loadConfig({ directory }))).toMatchObject({
      code: "CONFIG_UNREADABLE",
      hint: expect.stringMatching(hint),
    });
  });

  test("also when another file of the product is at fault", async () => {
    put("slipway.config.ts", 'import "./config/ports.ts";\nexport default {};');
    put("config/ports.ts", "\n\nthrow new Error('no ports');");
    expect((await refusal(loadConfig({ directory }))).message).toBe("config/ports.ts:3: its code failed: no ports");
  });

  test.each([
    ["for (;;) {}", "an endless loop"],
    ["setInterval(() => {}, 1000); export default new Promise(() => {});", "a promise that never settles"],
  ])("also when it never ends: %s", async (text) => {
    const file = put("slipway.config.ts", text);
    expect(await refusal(inspectConfig(file, { timeoutMs: 700 }))).toMatchObject({
      code: "CONFIG_UNREADABLE",
      message: "slipway.config.ts: it did not end within 0.7 s",
    });
  });

  test("also when it is too large, not text, a directory or a pipe", async () => {
    const large = put("large/slipway.config.json", " ".repeat(1_000_001));
    const bytes = put("bytes/slipway.config.json", Uint8Array.from([0x7b, 0xff, 0xfe]));
    mkdirSync(join(directory, "folder/slipway.config.json"), { recursive: true });
    mkdirSync(join(directory, "pipe"));
    execFileSync("mkfifo", [join(directory, "pipe/slipway.config.json")]);
    for (const [path, why] of [
      [large, "has 1000001 bytes"],
      [bytes, "is not UTF-8 text"],
      [join(directory, "folder/slipway.config.json"), "is a directory"],
      [join(directory, "pipe/slipway.config.json"), "is not a file"],
    ] as const)
      expect((await refusal(inspectConfig(path))).message).toContain(why);
    expect(await refusal(inspectConfig(join(directory, "slipway.config.ts")))).toMatchObject({
      code: "CONFIG_NOT_FOUND",
    });
  });

  test("also when its aliases would fill the memory", async () => {
    const levels = Array.from(
      { length: 12 },
      (_, level) =>
        `a${level}: &a${level} [${Array(9)
          .fill(level === 0 ? "x" : `*a${level - 1}`)
          .join(", ")}]`,
    );
    put("slipway.config.yaml", levels.join("\n"));
    expect(await refusal(loadConfig({ directory }))).toMatchObject({ code: "CONFIG_UNREADABLE" });
  });
});

describe("what is not JSON", () => {
  test("is what JSON.parse refuses, and keys that are there twice", () => {
    fc.assert(
      fc.property(
        fc.json(),
        fc.nat(),
        fc.constantFrom("", ",", "}", "]", '"', ":", "1", "x", "{", "\\", " "),
        (json, at, put) => {
          const text = `${json.slice(0, at % (json.length + 1))}${put}${json.slice((at % (json.length + 1)) + 1)}`;
          const fault = jsonFault(text);
          if (fault?.message.endsWith("is there twice")) return;
          expect(fault === null).toBe(parses(text));
        },
      ),
      { numRuns: 2000 },
    );
  });
});

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
