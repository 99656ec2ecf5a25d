// Makes the quickstart's product: a git repository of its own, with one real commit a version.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));

const messages = {
  v1: "feat: a greeting in three services",
  v2: "feat(api): greet people by their name",
  v3: "feat(api): read the greetings from a database",
  v4: "perf(api): cache the greetings",
  v5: "fix(api): end a greeting politely",
  v6: "feat(api)!: greet in three languages\n\nBREAKING CHANGE: the greeting may be in any of them.",
};

/** The repository, at its first commit, and a function that makes the commit of the next version. */
export async function makeRepository() {
  const directory = mkdtempSync(join(tmpdir(), "slipway-quickstart-"));
  const [staging, production] = await freePorts(2);
  const ports = { staging, production };
  cpSync(join(here, "product"), directory, { recursive: true });
  edit(join(directory, "slipway.config.ts"), (text) =>
    text
      .replace("127.0.0.1:8081", `127.0.0.1:${ports.staging}`)
      .replace("127.0.0.1:8080", `127.0.0.1:${ports.production}`),
  );
  git(directory, "init", "--quiet", "--initial-branch=main");
  commit(directory, "v1");
  return { directory, ports, commit: (version) => commitVersion(directory, version) };
}

function commitVersion(directory, version) {
  cpSync(join(here, "changes", version), directory, { recursive: true });
  // The last version also changes the config, so that a rollback has a config to bring back.
  if (version === "v6")
    edit(join(directory, "slipway.config.ts"), (text) => text.replace('GREETING: "Hello"', 'GREETING: "Welcome"'));
  commit(directory, version);
}

function commit(directory, version) {
  git(directory, "add", "--all");
  git(
    directory,
    "-c",
    "user.name=Ada",
    "-c",
    "user.email=ada@example.org",
    "-c",
    "commit.gpgsign=false",
    "commit",
    "--quiet",
    "--message",
    messages[version],
  );
}

function git(directory, ...args) {
  execFileSync("git", args, { cwd: directory, stdio: ["ignore", "ignore", "inherit"] });
}

function edit(file, change) {
  writeFileSync(file, change(readFileSync(file, "utf8")));
}

/** All different: each is held until all are found, or the same one would be found twice. */
async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}
