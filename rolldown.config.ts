import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin, type RolldownOptions } from "rolldown";

/**
 * Bundles each program that Slipway starts, with what it needs of `src/` and of the packages, into `dist/programs/`: a control
 * plane reads one file instead of a thousand. `tsc` still writes `dist/` beside it, for types, for who imports us, and for tests.
 */
const root = dirname(fileURLToPath(import.meta.url));
const source = join(root, "src");
const to = join(root, "dist/programs");

/**
 * Programs that stay up, by their paths in `src/`. Each is one file, read as a whole when it starts: a newer Slipway that is put
 * in the place of this one takes nothing from under it.
 */
export const services = [
  "cli/agent/guard",
  "cli/control-plane",
  "drivers/edges/caddy/companion",
  "drivers/edges/embedded/primary",
  "drivers/edges/embedded/worker",
  "drivers/targets/process/static-server",
  "lib/supervisor/daemon",
] as const;

/** The command line: a command reads only its own part. */
const commands = "cli/main";

const common: RolldownOptions = {
  platform: "node",
  // A native module, and a compiler that loads its own parts by path.
  external: ["@photostructure/sqlite", "jiti"],
  // A bundle with a doubt in it is none.
  onLog: (level, log, handle) => handle(level === "warn" ? "error" : level, log),
  plugins: [ownUrls()],
};

/** Modules of ours go on seeing `import.meta.url` as that of their own compiled file in `dist/`, from which paths are taken. */
function ownUrls(): Plugin {
  const mark = "__dist__/";
  return {
    name: "own-urls",
    transform(code, id) {
      if (!id.startsWith(source) || !code.includes("import.meta.url")) return null;
      const module = mark + relative(source, id).replace(/\.ts$/, ".js");
      return { code: code.replaceAll("import.meta.url", `new URL(${JSON.stringify(module)}, import.meta.url).href`) };
    },
    generateBundle(_options, bundle) {
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== "chunk") continue;
        const placed = chunk.code.replaceAll(mark, "../".repeat(chunk.fileName.split("/").length));
        // One letter beyond Latin 1, and the whole text of a program is kept in memory with two bytes a letter.
        chunk.code = placed.replace(/[\u0100-\uffff]/g, (letter) => escaped(letter.charCodeAt(0)));
      }
    },
  };
}

const escaped = (unit: number): string => `\\u${unit.toString(16).padStart(4, "0")}`;

const output = { dir: to, comments: { legal: true, annotation: false, jsdoc: false } };

export default defineConfig([
  ...services.map((program) => ({
    ...common,
    input: { [program]: join(source, `${program}.ts`) },
    output: { ...output, codeSplitting: false as const },
  })),
  {
    ...common,
    input: { [commands]: join(source, `${commands}.ts`) },
    output: { ...output, chunkFileNames: "cli/commands/[name]-[hash].js" },
  },
]);
