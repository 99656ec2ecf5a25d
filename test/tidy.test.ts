import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { services } from "../rolldown.config.ts";
import { catalogue } from "../src/core/errors/catalogue.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const source = join(root, "src");

/** Which rooms of the house a room may take from, besides itself. The table of the design page. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  "index.ts": ["core"],
  openfeature: ["core"],
  core: [],
  lib: [],
  ports: ["core"],
  store: ["core", "ports"],
  drivers: ["core", "ports", "lib", "store"],
  engine: ["core", "ports", "lib", "store"],
  testing: ["core", "ports", "lib"],
  api: ["core", "ports", "lib", "engine"],
  cli: ["core", "ports", "lib", "store", "drivers", "engine", "api"],
};

/** A part of a room that may take from more rooms than the room itself: the simulator runs the real engine. */
const alsoImport: Readonly<Record<string, readonly string[]>> = { "testing/sim/": ["engine", "store"] };

/** Files that may break the table, each with its reason. */
const exceptions: Readonly<Record<string, string>> = {
  "testing/engine/sqlite.ts": "the harness of the SQLite engine names it; the contract itself does not",
  "testing/engine/sqlite-child.ts": "the program that the harness kills",
  "testing/sim/store.ts": "the simulated store is the real schema in SQLite, through the driver's own connection",
};

/** Only the place that wires the drivers in may name them. */
const wires = "cli/wire.ts";
/** What `core` may take from npm: what the config is described with, and crons, which are told the time. */
const corePackages = new Set(["zod", "croner"]);
const maxLines = 500;

type Import = { readonly from: string; readonly names: string };
type File = { readonly path: string; readonly text: string; readonly imports: readonly Import[] };

const files: readonly File[] = listFiles(source)
  .filter((path) => path.endsWith(".ts"))
  .map((path) => {
    const text = readFileSync(path, "utf8");
    return { path: relative(source, path), text, imports: importsOf(text) };
  });
const product = files.filter((file) => !/\.test\.ts$|\.fixture\.ts$/.test(file.path));

describe("the house is tidy:", () => {
  it("imports run one way", () => {
    const wrong = product.flatMap((file) =>
      file.imports
        .map((each) => roomOfImport(file, each.from))
        .filter((room) => room !== null && room !== roomOf(file.path) && !importsOfFile(file.path).includes(room))
        .filter(() => exceptions[file.path] === undefined)
        .map((room) => `${file.path} imports ${room}`),
    );
    expect([...new Set(wrong)]).toEqual([]);
  });

  it("the dashboard takes from src only core and what the API says, and of packages only its own", () => {
    const page = join(root, "dashboard");
    const manifest = JSON.parse(readFileSync(join(page, "package.json"), "utf8")) as Record<
      string,
      Record<string, string> | undefined
    >;
    const own = listFiles(page)
      .filter((path) => /(?<!\.test)\.tsx?$/.test(path) && !path.includes("/node_modules/"))
      .flatMap((path) => importsOf(readFileSync(path, "utf8")).map(({ from }) => ({ path, from })));
    const wrong = own.filter(({ path, from }) => {
      const room = from.startsWith(".") ? relative(source, resolve(dirname(path), from)) : "..";
      return !room.startsWith("..") && !/^core\/|^api\/(?:[\w-]+-)?contract\.ts$/.test(room);
    });
    expect(wrong.map(({ path, from }) => `${relative(root, path)} imports ${from}`)).toEqual([]);
    const used = new Set(own.flatMap(({ from }) => packageOf(from) ?? []));
    expect(own.length).toBeGreaterThan(0);
    const types = Object.keys(manifest.devDependencies ?? {}).filter((name) => name.startsWith("@types/"));
    // Mantine needs the hooks beside itself.
    const declared = new Set([...used, ...types, "@mantine/hooks"]);
    expect(Object.keys(manifest.devDependencies ?? {}).sort()).toEqual([...declared].sort());
    // Built into the package: whoever runs it installs none of them.
    expect([manifest.dependencies, manifest.peerDependencies]).toEqual([undefined, undefined]);
  });

  it("a driver never imports another driver, and only the wiring names drivers", () => {
    const driverOf = (path: string): string => path.split("/").slice(0, 3).join("/");
    const wrong = product.flatMap((file) =>
      file.imports
        .map((each) => target(file, each.from))
        .filter((path): path is string => path?.startsWith("drivers/") ?? false)
        .filter((path) =>
          file.path.startsWith("drivers/") ? driverOf(path) !== driverOf(file.path) : file.path !== wires,
        )
        .filter(() => exceptions[file.path] === undefined)
        .map((path) => `${file.path} imports ${path}`),
    );
    expect(wrong).toEqual([]);
  });

  it("core touches nothing: no node, no clock, no random, no package but the one that describes the config", () => {
    const wrong = product
      .filter((file) => file.path.startsWith("core/"))
      .flatMap((file) => [
        ...file.imports
          .filter((each) => packageOf(each.from) !== null && !corePackages.has(each.from))
          .map((each) => `${file.path} imports ${each.from}`),
        ...["Date.now(", "Math.random(", "process.", "setTimeout(", "new Date()"]
          .filter((word) => code(file.text).includes(word))
          .map((word) => `${file.path} uses ${word}`),
      ]);
    expect(wrong).toEqual([]);
  });

  it("every package that is imported is declared, and every declared one is imported", () => {
    const { dependencies, devDependencies, peerDependencies } = JSON.parse(
      readFileSync(join(root, "package.json"), "utf8"),
    ) as Record<string, Record<string, string>>;
    const used = (from: readonly File[]): Set<string> =>
      new Set(from.flatMap((file) => file.imports.map((each) => packageOf(each.from)).filter((name) => name !== null)));
    const shipped = product.filter((file) => !file.path.startsWith("testing/"));
    expect(
      [...used(shipped)].filter((name) => (dependencies?.[name] ?? peerDependencies?.[name]) === undefined),
    ).toEqual([]);
    expect(
      [...used(files)].filter((name) => dependencies?.[name] === undefined && devDependencies?.[name] === undefined),
    ).toEqual([]);
    expect(Object.keys(dependencies ?? {}).filter((name) => !used(shipped).has(name))).toEqual([]);
  });

  it("every error code has its anchor in docs/errors.md, and none is left over there", () => {
    const text = readFileSync(join(root, "docs", "errors.md"), "utf8");
    const anchors = [...text.matchAll(/^### ([A-Z_]+)$/gm)].map((found) => found[1]);
    expect([...anchors].sort()).toEqual(Object.keys(catalogue).sort());
    const pages = [...text.matchAll(/^### ([A-Z_]+)\n([\s\S]*?)(?=^### |$(?![\s\S]))/gm)];
    const codes = new Map(Object.entries(catalogue).map(([code, { exit }]) => [code, `${exit}`]));
    const wrong = pages.filter(
      ([, code = "", page = ""]) =>
        ![...page.matchAll(/\bexit(?: code)? (\d+)/gi)].some(([, exit]) => exit === codes.get(code)),
    );
    expect(wrong.map(([, code]) => `${code} exits with ${codes.get(code ?? "")}, its page says otherwise`)).toEqual([]);
  });

  it("no file is named for nothing, and none does everything", () => {
    expect(
      product.filter((file) => /(^|\/)(utils|helpers|common|misc)(\/|\.ts$)/.test(file.path)).map((file) => file.path),
    ).toEqual([]);
    const long = product.filter((file) => file.text.split("\n").length > maxLines).map((file) => file.path);
    // Written from the schema: as long as the config has keys.
    expect(long.filter((path) => path !== "core/product/input.ts")).toEqual([]);
  });

  it("a port has at most eight methods", () => {
    for (const [file, port] of [
      ["ports/target.ts", "Target"],
      ["ports/edge.ts", "Edge"],
      ["ports/store.ts", "Store"],
      ["ports/source.ts", "Source"],
    ] as const) {
      const body =
        new RegExp(`export interface ${port} \\{([\\s\\S]*?)\\n\\}`).exec(
          files.find((each) => each.path === file)?.text ?? "",
        )?.[1] ?? "";
      const methods = code(body).match(/^ {2}\w+\(/gm) ?? [];
      expect(methods.length, port).toBeGreaterThan(0);
      expect(methods.length, port).toBeLessThanOrEqual(8);
    }
  });

  it("every program that is started is bundled", () => {
    const started = product.flatMap((file) =>
      [...code(file.text).matchAll(/\bentryFile\(import\.meta\.url, "([^"]+)\.ts"\)/g)].map((found) =>
        target(file, found[1] ?? ""),
      ),
    );
    expect([...new Set(started)].sort()).toEqual([...services].sort());
  });

  it("examples and benches, which no compiler reads, take from what is built only what is there", () => {
    const pattern = /(?:\bimport|\bconst)\s*\{([^}]*)\}\s*(?:from|=\s*await import\()\s*"(\.[^"]*\/dist\/[^"]+)\.js"/g;
    const taken = ["examples", "bench"].flatMap((folder) =>
      listFiles(join(root, folder))
        .filter((path) => /\.m?js$/.test(path) && !path.includes("/node_modules/"))
        .flatMap((path) =>
          [...readFileSync(path, "utf8").matchAll(pattern)].flatMap(([, names = "", from = ""]) =>
            names
              .split(",")
              .map((name) => name.trim().split(/\s+as\s+|:/)[0] ?? "")
              .filter((name) => name !== "")
              .map((name) => ({ by: relative(root, path), name, file: builtFrom(path, from) })),
          ),
        ),
    );
    expect(taken.length).toBeGreaterThan(0);
    const wrong = taken.filter(({ name, file }) => {
      const text = files.find(({ path }) => path === file)?.text ?? "";
      return !new RegExp(
        `^export (?:async )?(?:function\\*?|const|class) ${name}\\b|^export \\{[^}]*\\b${name}\\b`,
        "m",
      ).test(text);
    });
    expect(wrong.map(({ by, name, file }) => `${by} takes ${name} from ${file}`)).toEqual([]);
  });

  it("links in the docs lead somewhere", () => {
    const pages = ["README.md", ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`)].filter((name) =>
      name.endsWith(".md"),
    );
    const broken = pages.flatMap((page) =>
      [...readFileSync(join(root, page), "utf8").matchAll(/\]\((?!https?:|#)([^)#\s]+)[^)]*\)/g)]
        .map((found) => found[1] ?? "")
        .filter((link) => !existsSync(resolve(root, dirname(page), link)))
        .map((link) => `${page} -> ${link}`),
    );
    expect(broken).toEqual([]);
  });
});

/** The source of a built module, as it is imported from a file outside. */
function builtFrom(path: string, from: string): string {
  return `${relative(join(root, "dist"), resolve(dirname(path), from))}.ts`;
}

function listFiles(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function importsOf(text: string): Import[] {
  const found = [
    ...text.matchAll(/^(?:import|export)\s+([^"']*?)\s*from\s+"([^"]+)"/gm),
    ...text.matchAll(/()\bimport\("([^"]+)"\)/g),
  ];
  return found.map((each) => ({ names: each[1] ?? "", from: each[2] ?? "" }));
}

/** The file under `src/` that an import leads to, or null for a package. */
function target(file: File, from: string): string | null {
  return from.startsWith(".") ? relative(source, resolve(source, dirname(file.path), from)) : null;
}

function importsOfFile(path: string): readonly string[] {
  const more = Object.entries(alsoImport).flatMap(([start, rooms]) => (path.startsWith(start) ? rooms : []));
  return [...(mayImport[roomOf(path)] ?? []), ...more];
}

function roomOf(path: string): string {
  return path.split("/")[0] ?? "";
}

function roomOfImport(file: File, from: string): string | null {
  const path = target(file, from);
  return path === null || path.startsWith("..") || !path.includes("/") ? null : roomOf(path);
}

function packageOf(from: string): string | null {
  if (from.startsWith(".") || from.startsWith("node:") || from === "slipway") return null;
  const parts = from.split("/");
  return from.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? null);
}

/** The text without comments, so that a word in a sentence is no use of it. */
function code(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/\/\/.*$/gm, "");
}
