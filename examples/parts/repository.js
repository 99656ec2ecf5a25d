// Makes an example's product: a git repository of its own, with one real commit a version.
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const configFile = "slipway.config.ts";
const who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"];

/**
 * The repository at the first of its versions, and a function that makes the commit of a later one.
 * `from` has `product/` and `changes/<version>/`; `messages` has the commit message of each version, in their order; `configure`
 * puts what is of this machine into the config.
 */
export function makeRepository({ name, from, messages, configure }) {
  const directory = mkdtempSync(join(tmpdir(), `slipway-${name}-`));
  const [first, ...later] = Object.keys(messages);
  const edit = (change) => {
    const file = join(directory, configFile);
    writeFileSync(file, change(readFileSync(file, "utf8")));
  };
  const git = (...args) => execFileSync("git", args, { cwd: directory, stdio: ["ignore", "ignore", "inherit"] });
  const commit = (version) => {
    git("add", "--all");
    git(...who, "commit", "--quiet", "--message", messages[version]);
  };
  cpSync(join(from, "product"), directory, { recursive: true });
  edit(configure);
  git("init", "--quiet", "--initial-branch=main");
  commit(first);
  return {
    directory,
    commit: (version) => {
      cpSync(join(from, "changes", version), directory, { recursive: true });
      // The last version also changes the config, so that a rollback has a config to bring back.
      if (version === later.at(-1)) edit((text) => text.replace('GREETING: "Hello"', 'GREETING: "Welcome"'));
      commit(version);
    },
  };
}
