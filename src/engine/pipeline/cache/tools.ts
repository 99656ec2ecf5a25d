import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { open, readFile, realpath, stat } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";

/** Programs that are behind most steps, whether a step names them or not; and one more where there is something for it. */
const usualTools = ["node", "npm"] as const;
const python = "python3";
const forPython = /(?:\.(?:py|pyi|ipynb)|(?:^|\/)(?:pyproject\.toml|setup\.cfg|Pipfile|requirements[^/]*\.txt))$/;
/** A large program that does not say its version within this is known by its file's place and times: it is the same nowhere else. */
const versionMs = 10_000;

/**
 * What programs have said of themselves; scripts in a directory, which is one run's. They are asked once there: what could make them
 * say something else is a step before, whose own key is in the keys of what needs it.
 */
const answers = new Map<string, Promise<string>>();
const mostAnswers = 64;

const execute = promisify(execFile);

/** Of a checkout's list of files, whether any is for Python: many steps ask of the same long list. */
const ofPython = new WeakMap<readonly string[], boolean>();

/** Those behind a step with these commands, in a checkout with these files. */
export function usualToolsOf(files: readonly string[], commands: readonly (readonly string[])[]): readonly string[] {
  const isOfPython = ofPython.get(files) ?? files.some((path) => forPython.test(path));
  ofPython.set(files, isOfPython);
  const isNamed = commands.flat().some((word) => /python|pip/i.test(word));
  return isNamed || isOfPython ? [...usualTools, python] : usualTools;
}

/**
 * Which program each name is, so that another version is another result, and the same on another machine is the same: by the file's
 * content, of a large one by its size and what it says of itself, and of a script (which may be a shim that chooses a version by
 * directory) by what it says there too.
 */
export async function toolsOf(
  names: readonly string[],
  at: { readonly path: string; readonly directory: string; readonly env: Readonly<Record<string, string>> },
): Promise<Readonly<Record<string, string>>> {
  const all = [...new Set(names)].sort();
  return Object.fromEntries(await Promise.all(all.map(async (name) => [name, await toolOf(name, at)] as const)));
}

type At = { readonly path: string; readonly directory: string; readonly env: Readonly<Record<string, string>> };

async function toolOf(name: string, at: At): Promise<string> {
  const file = await find(name, at.path);
  if (file === null) return "none";
  const real = await realpath(file);
  const { size, mtimeMs, ino } = await stat(real);
  const identity = `${real} ${size} ${mtimeMs} ${ino}`;
  if (await isScript(real)) {
    // npm and its like are scripts with their version beside them: a start of them takes a tenth of a second.
    const version = (await packageVersion(real)) ?? (await saidBy(file, `${at.directory}\0${file}\0${identity}`, at));
    return `${await contentOf(real, identity)} ${version}`;
  }
  if (size <= mostReadBytes) return contentOf(real, identity);
  // A program says the same in every directory, and a run should not wait for it.
  const version = await saidBy(real, identity, at);
  return version === "" ? identity : `${size} ${version}`;
}

/** Of the same file the same, so it is read once. */
const contents = new Map<string, Promise<string>>();
const mostReadBytes = 16 * 1024 ** 2;

function contentOf(file: string, identity: string): Promise<string> {
  return once(contents, identity, async () =>
    createHash("sha256")
      .update(await readFile(file))
      .digest("hex"),
  );
}

/** `key`: what it is asked once of. */
function saidBy(file: string, key: string, { directory, env }: At): Promise<string> {
  return once(answers, key, () =>
    execute(file, ["--version"], { cwd: directory, env: { ...env }, timeout: versionMs }).then(
      ({ stdout, stderr }) => stdout.trim() || stderr.trim(),
      () => "",
    ),
  );
}

function once(known: Map<string, Promise<string>>, key: string, ask: () => Promise<string>): Promise<string> {
  const before = known.get(key);
  if (before !== undefined) return before;
  const answer = ask();
  answer.catch(() => known.delete(key));
  known.set(key, answer);
  for (const [old] of [...known].slice(0, -mostAnswers)) known.delete(old);
  return answer;
}

/**
 * The machine as far as what is built on it depends on it: what is built for one C library may not run with another, and the
 * distribution and its version say which that is.
 */
export const systemText = (() => {
  let known: string | null = null;
  return (): string => {
    known ??= [process.platform, process.arch, distribution()].filter((part) => part !== "").join(" ");
    return known;
  };
})();

/** `debian 12`; empty where the system does not say. Source of the form: os-release(5). */
function distribution(): string {
  try {
    const text = readFileSync("/etc/os-release", "utf8");
    const of = (name: string): string => new RegExp(`^${name}="?([^"\\n]*)`, "m").exec(text)?.[1] ?? "";
    return `${of("ID")} ${of("VERSION_ID")}`.trim();
  } catch {
    return "";
  }
}

async function find(name: string, path: string): Promise<string | null> {
  for (const directory of path.split(delimiter).filter((part) => part !== "")) {
    const file = join(directory, name);
    const found = await stat(file).catch(() => null);
    if (found?.isFile() === true && (found.mode & 0o111) !== 0) return file;
  }
  return null;
}

async function isScript(file: string): Promise<boolean> {
  const handle = await open(file, "r");
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer.toString("latin1") === "#!";
  } finally {
    await handle.close();
  }
}

async function packageVersion(file: string): Promise<string | null> {
  try {
    const text = await readFile(join(dirname(file), "..", "package.json"), "utf8");
    const { version } = JSON.parse(text) as { readonly version?: unknown };
    return typeof version === "string" ? version : null;
  } catch {
    return null;
  }
}
