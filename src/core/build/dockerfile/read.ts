/** What one must know of a Dockerfile before it is built. It is not checked: that is the engine's work. */
export type DockerfileFacts = {
  /** Images it begins from, `ARG`s filled in, each once; not its own stages, not `scratch`. */
  readonly bases: readonly string[];
  readonly stages: readonly string[];
  /** Ids of the secrets that it mounts. */
  readonly secrets: readonly string[];
  /** What only BuildKit does, as it is written there; the classic builder would fail in the middle, or ignore it. */
  readonly needsBuildKit: readonly string[];
  /** First command that is run on the platform the image is for, as it is written; null when files are only put there. */
  readonly runs: string | null;
};

type Instruction = { readonly word: string; readonly rest: string };

/** Longer Dockerfiles are no Dockerfiles. */
export const maxDockerfileBytes = 1024 * 1024;

export function readDockerfile(text: string, args: Readonly<Record<string, string>> = {}): DockerfileFacts {
  const instructions = [...instructionsOf(text)];
  const stages: string[] = [];
  const bases = new Set<string>();
  const values: Record<string, string> = {};
  for (const { word, rest } of instructions) {
    if (word === "ARG" && stages.length === 0) Object.assign(values, argument(rest, args, values));
    if (word !== "FROM") continue;
    const [image = "", , name] = words(rest).filter((part) => !part.startsWith("--"));
    const base = fill(image, values);
    if (base !== "scratch" && !stages.includes(base.toLowerCase())) bases.add(base);
    stages.push((name ?? String(stages.length)).toLowerCase());
  }
  for (const { word, rest } of instructions) {
    const from = word === "COPY" ? /^(?:--\S+\s+)*--from=(\S+)/.exec(rest)?.[1] : undefined;
    if (from !== undefined && !/^\d+$/.test(from) && !stages.includes(from.toLowerCase()))
      bases.add(fill(from, values));
  }
  return {
    bases: [...bases],
    stages,
    secrets: [...new Set(instructions.flatMap(secretsOf))],
    needsBuildKit: [...new Set([...syntaxOf(text), ...instructions.flatMap(onlyBuildKit)])],
    runs: runsThere(instructions),
  };
}

/** A stage is of the image's platform unless it names its own, usually the builder's, or begins from one that does. */
function runsThere(instructions: readonly Instruction[]): string | null {
  const elsewhere = new Set<string>();
  let here = true;
  for (const { word, rest } of instructions) {
    if (word === "RUN" && here) return `RUN ${rest}`;
    if (word !== "FROM") continue;
    const platform = words(rest).find((part) => part.startsWith("--platform="));
    const [image = "", , name] = words(rest).filter((part) => !part.startsWith("--"));
    here = platform === undefined ? !elsewhere.has(image.toLowerCase()) : platform.includes("TARGETPLATFORM");
    if (!here && name !== undefined) elsewhere.add(name.toLowerCase());
  }
  return null;
}

function* instructionsOf(text: string): Generator<Instruction> {
  const continued = directive(text, "escape") === "`" ? "`" : "\\";
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
  for (let i = 0; i < lines.length; i++) {
    let line = (lines[i] ?? "").trim();
    if (line === "" || line.startsWith("#")) continue;
    while (line.endsWith(continued) && i + 1 < lines.length) {
      const next = (lines[++i] ?? "").trim();
      // Comments and empty lines inside a continued instruction are skipped.
      if (next === "" || next.startsWith("#")) continue;
      line = line.slice(0, -1) + next;
    }
    const [, word = "", rest = ""] = /^(\S+)\s*(.*)$/s.exec(line) ?? [];
    for (const end of heredocs(word, rest)) {
      while (++i < lines.length && (lines[i] ?? "").replace(/^\t+/, "") !== end);
    }
    yield { word: word.toUpperCase(), rest };
  }
}

function heredocs(word: string, rest: string): string[] {
  if (!/^(?:RUN|COPY|ADD)$/i.test(word)) return [];
  return [...rest.matchAll(/(?<![<\d])<<-?(["']?)([A-Za-z_][A-Za-z0-9_]*)\1/g)].map((found) => found[2] ?? "");
}

/** `# name=value` above the first instruction. */
function directive(text: string, name: string): string | null {
  for (const line of text.split(/\r?\n/)) {
    const found = /^#\s*([A-Za-z]+)\s*=\s*(\S+)\s*$/.exec(line.trim());
    if (found === null) return null;
    if (found[1]?.toLowerCase() === name) return found[2] ?? null;
  }
  return null;
}

function syntaxOf(text: string): string[] {
  const syntax = directive(text, "syntax");
  return syntax === null ? [] : [`# syntax=${syntax}`];
}

function onlyBuildKit({ word, rest }: Instruction): string[] {
  const flags = words(rest).filter((part) =>
    /^--(?:mount|network|security|link|parents|checksum|exclude|start-interval)\b/.test(part),
  );
  if (word === "ADD" || word === "COPY" || word === "RUN" || word === "HEALTHCHECK") {
    const begun = heredocs(word, rest).map((end) => `${word} <<${end}`);
    return [...flags.map((flag) => `${word} ${flag}`), ...begun];
  }
  return [];
}

function secretsOf({ word, rest }: Instruction): string[] {
  if (word !== "RUN") return [];
  return words(rest)
    .filter((part) => /^--mount=(?:.*,)?type=secret\b/.test(part))
    .map((part) => {
      const option = (name: RegExp) => name.exec(part)?.[1];
      const path = option(/[=,](?:target|dst|destination)=([^,]+)/);
      return option(/[=,]id=([^,]+)/) ?? path?.slice(path.lastIndexOf("/") + 1) ?? "";
    })
    .filter((id) => id !== "");
}

function argument(
  rest: string,
  args: Readonly<Record<string, string>>,
  earlier: Readonly<Record<string, string>>,
): Record<string, string> {
  const values: Record<string, string> = {};
  for (const part of words(rest)) {
    const at = part.indexOf("=");
    const name = at === -1 ? part : part.slice(0, at);
    values[name] = args[name] ?? (at === -1 ? "" : fill(part.slice(at + 1).replace(/^(["'])(.*)\1$/, "$2"), earlier));
  }
  return values;
}

/** `$name`, `${name}`, `${name:-default}`, `${name:+other}`. */
function fill(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(
    /\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?::([-+])([^}]*))?\})/g,
    (_, plain?: string, name?: string, sign?: string, other?: string) => {
      const value = values[plain ?? name ?? ""] ?? "";
      if (sign === "-") return value === "" ? (other ?? "") : value;
      return sign === "+" ? (value === "" ? "" : (other ?? "")) : value;
    },
  );
}

const words = (text: string): string[] => text.split(/\s+/).filter((part) => part !== "");
