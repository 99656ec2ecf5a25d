import { readdirSync, realpathSync } from "node:fs";
import { relative } from "node:path";
import { withContents } from "../../../core/compose/contents.ts";
import { parseEnvFile } from "../../../core/compose/dotenv.ts";
import type { ComposeRead, ComposeReader } from "../../../core/product/composed.ts";
import type { TargetInput } from "../../../core/product/input.ts";
import type { Problem } from "../../../core/product/problems.ts";
import { type ReadCompose, readCompose } from "./read.ts";

/** What keeps what is not in git out of everybody's sight. */
export type Sealer = {
  readonly seal: (text: string) => string;
  /** The same for the same text, and tells nothing of it. */
  readonly mark: (text: string) => string;
};

export type ComposeSource = {
  /** Of the config: the checkout of a commit, or the working tree. */
  readonly directory: string;
  /** The working tree, for what is not in git (`.env`); left out where it is `directory`. */
  readonly beside?: string;
  /** Left out: nothing is kept, so a word stands for it. */
  readonly sealer?: Sealer;
  /** What `variablesFrom` takes from. */
  readonly variables?: Readonly<Record<string, string | undefined>>;
};

const wordOnly: Sealer = { seal: () => "(secret)", mark: () => "" };
/** A shorter value is found in many texts, and is no secret. */
const leastPrivate = 4;

/** Reads the Compose project of a target, from the disk. Changes nothing. */
export function composeReaderAt(source: ComposeSource): ComposeReader {
  const { sealer = wordOnly } = source;
  return (target, product): ComposeRead => {
    const root = realpathSync(source.directory);
    const taken = takenFrom(target, source);
    const read = readFor(target, { ...source, directory: root, product, taken: taken.values });
    const file = read.files.map((each) => relative(root, each)).join(", ") || "the Compose file";
    const outside = [
      ...read.disk.outside,
      ...Object.entries(taken.values).map(([name, text]) => [`$${name}`, text] as const),
    ];
    const filled =
      read.model === null
        ? null
        : withContents(read.model, {
            root,
            text: read.disk.text,
            directory: (path) => filesIn(path),
            variable: (name) => read.variables[name],
          });
    // What its secrets are made of may have come from outside only now.
    for (const [path, text] of read.disk.outside)
      if (!outside.some(([known]) => known === path)) outside.push([path, text]);
    const privates = privateTexts(read, target);
    const problems = [...read.problems, ...(filled?.problems ?? []), ...taken.problems];
    return {
      file,
      root,
      model: problems.some(({ severity }) => severity === "error") ? null : (filled?.model ?? null),
      problems,
      outside: outside.map(([path, text]) => ({ path, mark: sealer.mark(text) })),
      isPrivate: (text) => privates.some((value) => text.includes(value)),
      seal: (text) => sealer.seal(text),
    };
  };
}

type Reading = ComposeSource & {
  readonly product: string;
  readonly taken: Readonly<Record<string, string>>;
};

function readFor(target: TargetInput, { directory, beside, product, taken }: Reading): ReadCompose {
  const { file, envFile, profiles, project, variables } = target;
  const list = (value: string | readonly string[] | undefined) => (typeof value === "string" ? [value] : value);
  const files = list(file);
  const envFiles = list(envFile);
  return readCompose({
    directory,
    inside: directory,
    fallbackName: product,
    variables: { ...taken, ...variables },
    ...(beside === undefined ? {} : { beside }),
    ...(files === undefined ? {} : { files }),
    ...(envFiles === undefined ? {} : { envFiles }),
    ...(profiles === undefined ? {} : { profiles }),
    ...(project === undefined ? {} : { name: project }),
  });
}

/** Without an environment to take from, as in `validate`, nobody can say whether it will be there. */
function takenFrom(
  { variablesFrom = [] }: TargetInput,
  { variables }: ComposeSource,
): { readonly values: Readonly<Record<string, string>>; readonly problems: readonly Problem[] } {
  const values = variablesFrom.map(
    (name) => [name, variables === undefined ? "later" : (variables[name] ?? "")] as const,
  );
  const missing = values.filter(([, value]) => value === "");
  return {
    values: Object.fromEntries(values.filter(([, value]) => value !== "")),
    problems: missing.map(([name]) => ({
      path: "",
      message: `the environment of the control plane has no ${name}; set it, then: slipway down && slipway up`,
      seen: null,
      allowed: null,
      guess: null,
      severity: "error" as const,
    })),
  };
}

/** Values of variables that are written neither in the config nor in the Compose file, wherever they were put. */
function privateTexts({ disk, variables }: ReadCompose, target: TargetInput): readonly string[] {
  const inConfig = target.variables ?? {};
  const given = Object.entries(variables).filter(([name]) => !Object.hasOwn(inConfig, name));
  const fromFiles = [...disk.outside.values()].flatMap((text) =>
    Object.values(parseEnvFile(text, () => undefined).values),
  );
  const all = new Set([...given.map(([, value]) => value), ...fromFiles]);
  return [...all].filter((value) => value.length >= leastPrivate);
}

/** Paths of the files in a directory; null when it is none. What is no file or directory, such as a link, is left out. */
function filesIn(path: string): readonly string[] | null {
  try {
    return readdirSync(path, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(path, `${entry.parentPath}/${entry.name}`));
  } catch {
    return null;
  }
}
