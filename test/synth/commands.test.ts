import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import { synthAt } from "../../src/cli/commands/synth.ts";
import { errorLines } from "../../src/cli/output.ts";
import { program } from "../../src/cli/program/slipway.ts";
import { isSlipwayError, type SlipwayError } from "../../src/core/errors/error.ts";
import type { ProductInput } from "../../src/core/product/input.ts";

const top = fileURLToPath(new URL("../..", import.meta.url));

/** What is thrown in place of doing anything: the line has been taken. */
class Taken extends Error {}

/** Why the command line does not take it, or null. Its own parser says so; nothing is done. */
async function refusal(line: string): Promise<SlipwayError | null> {
  const slipway = program().hook("preAction", () => {
    throw new Taken();
  });
  silence(slipway);
  try {
    await slipway.parseAsync(wordsOf(line), { from: "user" });
    throw new Error(`${line} begins nothing`);
  } catch (error) {
    if (isSlipwayError(error) && error.code === "USAGE") return error;
    if (error instanceof Taken) return null;
    throw error;
  }
}

function silence(command: Command): void {
  command.exitOverride().configureOutput({ writeOut: () => {}, writeErr: () => {} });
  for (const each of command.commands) silence(each);
}

/** Of a line as a person types it, without `slipway`; what stands in <> is what they put in. */
function wordsOf(line: string): string[] {
  const plain = line.replace(/\s#.*$|\s{2}.*$|\s[>|].*$/, "").replaceAll(/<[\w ,.-]+>/g, "1");
  return [...plain.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].slice(1).map(([, a, b, c]) => a ?? b ?? c ?? "");
}

/** Commands in a page: in its blocks of code, and within its sentences. */
function commandsIn(page: string): { readonly blocks: readonly string[]; readonly inline: readonly string[] } {
  const inline = [...page.matchAll(/`(slipway [^`\n]+)`/g)].map(([, line = ""]) => line);
  const blocks = page.split("\n").flatMap((line) => /^(?: {4,})?(slipway .+)$/.exec(line)?.[1] ?? []);
  const single = (lines: readonly string[]) => [...new Set(lines.flatMap((line) => line.split(" && ")))];
  return { blocks: single(blocks), inline: single(inline) };
}

/** `named`: that they are there is enough, as where a sentence names one; else they have all that they need. */
async function refused(lines: readonly string[], { named = false } = {}): Promise<readonly string[]> {
  const all = await Promise.all(lines.map(async (line) => [line, await refusal(line)] as const));
  return all.flatMap(([line, why]) =>
    why === null || (named && / needs [<-]/.test(why.message)) ? [] : [`${line}: ${why.message}`],
  );
}

/** A repository with what an example has, or with a config alone, and all that synth writes there. */
async function synthesised(from: string | ProductInput): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), "slipway-commands-"));
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", ...args], { cwd: directory });
  if (typeof from === "string") cpSync(join(top, "examples", from), directory, { recursive: true });
  else writeFileSync(join(directory, "slipway.config.json"), JSON.stringify(from));
  git("init", "--quiet", "--initial-branch=main");
  git("add", "--all");
  git("commit", "--quiet", "-m", "feat: first");
  const lines: string[] = [];
  const out = { mode: "plain", line: (text = "") => void lines.push(text), json: () => {} } as const;
  const code = await synthAt(directory, ["all"], {}, out).catch((error: unknown) =>
    errorLines(error as SlipwayError).join("\n"),
  );
  expect(code, lines.join("\n")).toBe(0);
  return directory;
}

/** Everything that DEPLOYMENT.md can have a word of. */
const whole: ProductInput = {
  name: "shop",
  services: {
    web: { kind: "web", image: "registry.example.com/web", routes: ["shop.example.com"], secrets: ["DATABASE_URL"] },
  },
  teams: { ops: ["ada"] },
  pipeline: { steps: { unit: { shell: "true", secrets: ["NPM_TOKEN"] } } },
  synth: { notices: { slack: "SLACK_WEBHOOK" } },
  triggers: {
    url: "https://slipway.example.com",
    listen: ":9800",
    branches: { main: { deploy: "staging" } },
    schedules: {
      nightly: { cron: "0 3 * * *", branch: "main" },
      elsewhere: { cron: "0 5 * * *", branch: "release/1" },
      late: { cron: "0 5 * * *", branch: "main", timeZone: "Europe/Berlin" },
    },
    ci: [
      {
        issuer: "github",
        audience: "https://slipway.example.com",
        claims: { repository: "acme/shop", ref: "refs/heads/main" },
        environments: ["staging"],
      },
    ],
  },
  environments: {
    staging: { target: { driver: "docker", hosts: ["ssh://deploy@staging.example.com"] }, edge: { listen: ":8081" } },
    production: {
      target: { driver: "docker", hosts: ["ssh://deploy@one.example.com:2222", "ssh://deploy@two.example.com"] },
      promoteFrom: "staging",
      gates: { approval: { teams: ["ops"] } },
    },
  },
};

describe("DEPLOYMENT.md", () => {
  it.each([
    ["of the quickstart", "quickstart/product", 3],
    ["of the monorepo of npm workspaces", "monorepos/workspaces", 3],
    ["of the monorepo of Node and Python", "monorepos/mixed", 3],
    ["with all that it can say", whole, 8],
  ] as const)(
    "%s names commands that there are, with their options, and files that are there",
    async (_, from, least) => {
      const directory = await synthesised(from);
      try {
        const page = readFileSync(join(directory, "DEPLOYMENT.md"), "utf8");
        const { blocks, inline } = commandsIn(page);
        const commands = [...blocks, ...inline];
        expect(commands.length, page).toBeGreaterThanOrEqual(least);
        expect(await refused(commands)).toEqual([]);
        const files = [...page.matchAll(/(?:`|-f )((?:scripts\/|docker-compose|init-server)[\w./-]+)/g)].map(
          ([, path = ""]) => path,
        );
        expect(files.filter((path) => !existsSync(join(directory, path)))).toEqual([]);
        // A line that is made up of two: what is done is in the one, who asks for it in the other.
        const script = readFileSync(join(directory, "scripts/ci/deploy.sh"), "utf8").replaceAll(' "$@"', " REST");
        const lines = [...script.matchAll(/exec (slipway .+)/g)].map(([, line = ""]) => line);
        const done = [...script.matchAll(/set -- ((?:deploy|promote) .+)/g)].map(([, line = ""]) => line);
        expect([lines.length, done.length]).toEqual([3, 2]);
        const joined = lines.flatMap((line) =>
          line.includes("REST --yes") ? done.map((each) => line.replace("REST", each)) : line,
        );
        expect(await refused(joined.map((line) => line.replace(" REST", "")))).toEqual([]);
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    },
  );

  it("would be found out with a command, an option or an argument that is not there", async () => {
    expect(
      await refused([
        "slipway rollbak production",
        "slipway deploy --env x --fast",
        "slipway rollback",
        "slipway status x",
      ]),
    ).toHaveLength(4);
    expect(
      await refused(["slipway rollback production", 'slipway deploy -e x --reason "two words" # and more']),
    ).toEqual([]);
  });
});

describe("the documentation", () => {
  // What was decided is history: it may name what is no more.
  const pages = readdirSync(join(top, "docs")).filter((name) => name.endsWith(".md") && name !== "decisions.md");
  it.each(["README.md", ...pages.map((name) => `docs/${name}`)])("%s names commands that there are", async (path) => {
    const { blocks, inline } = commandsIn(readFileSync(join(top, path), "utf8"));
    expect([...(await refused(blocks)), ...(await refused(inline, { named: true }))]).toEqual([]);
  });
});
