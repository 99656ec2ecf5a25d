// Makes the product's repository: its addresses are those of the machines, and there is one real commit a version.
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));

const messages = {
  v1: "feat: greetings on two machines",
  v2: "feat(api): greet people by their name",
  v3: "feat(api): count everybody who was greeted",
  v4: "perf(api): cache the greetings",
  v5: "fix(api): greet people kindly",
};

/** The repository, at its first commit, and a function that makes the commit of the next version. */
export function makeRepository({ hosts: [first, second], registry }) {
  const directory = mkdtempSync(join(tmpdir(), "slipway-vm-"));
  cpSync(join(here, "product"), directory, { recursive: true });
  edit(join(directory, "slipway.config.ts"), (text) =>
    text
      .replaceAll("ssh://root@10.0.0.2", first.url)
      .replaceAll("ssh://root@10.0.0.3", second.url)
      .replaceAll("REGISTRY", registry.host),
  );
  git(directory, "init", "--quiet", "--initial-branch=main");
  commit(directory, "v1");
  return { directory, commit: (version) => commitVersion(directory, version) };
}

function commitVersion(directory, version) {
  cpSync(join(here, "changes", version), directory, { recursive: true });
  // The last version also changes the config, so that a rollback has a config to bring back.
  if (version === "v5")
    edit(join(directory, "slipway.config.ts"), (text) => text.replace('GREETING: "Hello"', 'GREETING: "Welcome"'));
  commit(directory, version);
}

function commit(directory, version) {
  git(directory, "add", "--all");
  const who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"];
  git(directory, ...who, "commit", "--quiet", "--message", messages[version]);
}

function git(directory, ...args) {
  execFileSync("git", args, { cwd: directory, stdio: ["ignore", "ignore", "inherit"] });
}

function edit(file, change) {
  writeFileSync(file, change(readFileSync(file, "utf8")));
}
