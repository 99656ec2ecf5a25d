import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { type SynthOptions, synthAt } from "../../src/cli/commands/synth.ts";
import { errorLines, type Output } from "../../src/cli/output.ts";
import { isSlipwayError } from "../../src/core/errors/error.ts";

const quickstart = fileURLToPath(new URL("../../examples/quickstart/product", import.meta.url));

export type SynthTest = {
  readonly directory: string;
  /** The config, as JSON; commits everything. */
  configure(config: object): void;
  /** `slipway synth`, in this process. */
  synth(
    artifacts?: readonly string[],
    options?: Omit<SynthOptions, "json">,
  ): Promise<{ readonly code: number; readonly text: string }>;
  read(path: string): string;
  write(path: string, text: string): void;
  git(...args: string[]): string;
  remove(): void;
};

export const services = {
  api: { kind: "web", path: "api", command: ["node", "server.js"], routes: ["/api"], health: { path: "/api/health" } },
  web: { kind: "web", path: "web", command: ["node", "server.js"], needs: ["api"], routes: ["/"] },
  worker: { kind: "worker", path: "worker", command: ["node", "worker.js"], needs: ["api"] },
} as const;

/** The quickstart's product in a repository of its own, with a config that each test says. */
export function synthTest(): SynthTest {
  const directory = mkdtempSync(join(tmpdir(), "slipway-synth-"));
  cpSync(quickstart, directory, { recursive: true });
  rmSync(join(directory, "slipway.config.ts"));
  writeFileSync(join(directory, ".gitignore"), ".slipway\n");
  const git = (...args: string[]): string =>
    execFileSync("git", ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", ...args], {
      cwd: directory,
      encoding: "utf8",
    });
  git("init", "--quiet", "--initial-branch=main");
  return {
    directory,
    git,
    configure: (config) => {
      writeFileSync(join(directory, "slipway.config.json"), JSON.stringify(config, null, 2));
      git("add", "--all");
      git("commit", "--quiet", "--allow-empty", "-m", "feat: another");
    },
    synth: async (artifacts = [], options = {}) => {
      const lines: string[] = [];
      const out: Output = { mode: "plain", line: (text = "") => void lines.push(text), json: () => {} };
      try {
        const code = await synthAt(directory, artifacts, options, out);
        return { code, text: stripVTControlCharacters(lines.join("\n")) };
      } catch (error) {
        if (!isSlipwayError(error)) throw error;
        return { code: error.exitCode, text: stripVTControlCharacters(errorLines(error).join("\n")) };
      }
    },
    read: (path) => readFileSync(join(directory, path), "utf8"),
    write: (path, text) => writeFileSync(join(directory, path), text),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
