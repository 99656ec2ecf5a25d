import { type BuiltInStep, pipelineDefaults, scanFiles } from "../product/pipeline.ts";

const [nodeReport, pipReport] = scanFiles;

/** What a directory of the checkout has that says how it is installed and checked. */
export type Found = {
  /** From the top of the checkout; `.` is the top itself. */
  readonly path: string;
  /** Of package.json; null: it has none, or one that cannot be read. */
  readonly scripts: Readonly<Record<string, string>> | null;
  /** `pnpm@9.1.0`, as package.json pins it. */
  readonly packageManager: string | null;
  /** Names of files that are there, of those in `tellingFiles`. */
  readonly files: readonly string[];
  /** Text of pyproject.toml, or empty. */
  readonly pyproject: string;
  /** As package.json names it; null: it names and numbers none. */
  readonly package: PackageName | null;
};

export type PackageName = { readonly name: string; readonly version: string; readonly isPrivate: boolean };

/** Names of the files that are looked for. */
export const tellingFiles = [
  "package-lock.json",
  "npm-shrinkwrap.json",
  "pnpm-lock.yaml",
  "yarn.lock",
  ".yarnrc.yml",
  "bun.lock",
  "bun.lockb",
  "requirements.txt",
  "uv.lock",
  "poetry.lock",
  "pyproject.toml",
  "pytest.ini",
  "package.json",
  ".npmrc",
  pipelineDefaults.composeFile,
] as const;

export type BuiltIn =
  | {
      readonly is: "commands";
      readonly commands: readonly (readonly string[])[];
      /** Whether they are for the top of the checkout, wherever the step is. */
      readonly atTop: boolean;
    }
  | { readonly is: "nothing"; readonly missing: string };

/** Scripts of package.json by what they are for; the first that is there is taken. */
const scriptNames: Readonly<
  Record<Exclude<BuiltInStep, "checkout" | "install" | "scan" | "image" | "publish">, readonly string[]>
> = {
  lint: ["lint"],
  format: ["format:check", "format-check", "check:format", "format"],
  typecheck: ["typecheck", "type-check", "types", "check:types", "tsc"],
  unit: ["test:unit", "unit", "test"],
  build: ["build"],
  integration: ["test:integration", "integration"],
};

/** What a built-in step runs in a directory, given what is there and at the top of the checkout. */
export function builtIn(uses: BuiltInStep, here: Found, top: Found): BuiltIn {
  // The builder makes an image: no command does.
  if (uses === "checkout" || uses === "image") return { is: "commands", commands: [], atTop: false };
  if (uses === "install") return install(here, top);
  if (uses === "scan") return scan(here, top);
  if (uses === "publish") return publish(here, top);
  const script = scriptNames[uses].find((name) => Object.hasOwn(here.scripts ?? {}, name));
  if (script !== undefined) return one(...managerOf(here, top), "run", script);
  const python = pythonCommand(uses, here, top);
  if (python !== null) return one(...python);
  const scripts = scriptNames[uses].map((name) => `"${name}"`).join(" or ");
  return { is: "nothing", missing: `package.json has no script ${scripts}, and pyproject.toml has nothing for it` };
}

function install(here: Found, top: Found): BuiltIn {
  const at = lockOf(here) === null && here.packageManager === null && !isPython(here) ? top : here;
  const node = at.files.includes("package.json") || at.scripts !== null ? nodeInstall(at, top) : null;
  const python = isPython(at) ? pythonInstall(at) : null;
  const commands = [...(node === null ? [] : [node]), ...(python ?? [])];
  if (commands.length > 0) return { is: "commands", commands, atTop: at === top };
  return {
    is: "nothing",
    missing: "there is no package.json, requirements.txt, uv.lock, poetry.lock or pyproject.toml",
  };
}

/**
 * Known advisories on what is locked; what they are is in files, and an exit code of 1 says only that there are some. With that and
 * nothing written it has failed.
 */
function scan(here: Found, top: Found): BuiltIn {
  const looked = (tool: string, report: string): readonly string[] => [
    "sh",
    "-euc",
    `${tool} || { [ $? -eq 1 ] && [ -s ${report} ]; }`,
  ];
  const node = nodeAudit(here, top);
  const commands = [
    ...(node === null ? [] : [looked(`${node} > ${nodeReport}`, nodeReport)]),
    // It writes nothing where it has found nothing.
    ...(node !== null && lockOf(here) === "yarn"
      ? [["sh", "-euc", `[ -s ${nodeReport} ] || echo '{}' > ${nodeReport}`]]
      : []),
    ...(here.files.includes("requirements.txt")
      ? [
          looked(
            `pip-audit --progress-spinner off --format json --output ${pipReport} --requirement requirements.txt`,
            pipReport,
          ),
        ]
      : []),
  ];
  if (commands.length > 0) return { is: "commands", commands, atTop: false };
  return {
    is: "nothing",
    missing:
      "there is no lock file of npm, pnpm, yarn (2 or newer) or bun, and no requirements.txt; give the step a command",
  };
}

/** Null: there is no lock file, or it is of yarn's first line, which asks what registries answer no more. */
function nodeAudit(here: Found, top: Found): string | null {
  const tool = lockOf(here);
  if (tool === null) return null;
  const manager = managerOf(here, top).join(" ");
  if (tool !== "yarn") return `${manager} audit --json`;
  return isBerry(here) || isBerry(top) ? `${manager} npm audit --all --recursive --json` : null;
}

/** yarn from 2 on, which is another program. */
function isBerry({ files, packageManager }: Found): boolean {
  return files.includes(".yarnrc.yml") || /^yarn@(?:[2-9]|\d\d)/.test(packageManager ?? "");
}

/**
 * The package, where the registry does not have this version: so a commit that changes no version publishes nothing, and one that is
 * run again does not fail. A version such as 2.0.0-beta.1 becomes the newest under its own word (beta), not `latest`.
 */
function publish(here: Found, top: Found): BuiltIn {
  if (here.package?.isPrivate === true)
    return { is: "nothing", missing: "its package.json is private; leave that out, or give the step a command" };
  if (here.package !== null) return one(...publishNode(here.package, here, top));
  if (here.files.includes("uv.lock"))
    return {
      is: "commands",
      commands: [
        ["uv", "build"],
        ["uv", "publish"],
      ],
      atTop: false,
    };
  if (here.files.includes("poetry.lock")) return one("poetry", "publish", "--build", "--skip-existing");
  return {
    is: "nothing",
    missing: "no package.json has a name and a version, and there is no uv.lock and no poetry.lock",
  };
}

function publishNode({ name, version }: PackageName, here: Found, top: Found): readonly string[] {
  const before = version.split("+")[0]?.split("-").slice(1).join("-") ?? "";
  const word = /^[a-z]\w*/i.exec(before)?.[0] ?? "next";
  const tag = before === "" ? [] : ["--tag", word];
  const manager = managerOf(here, top);
  const tool = toolOf(here.packageManager ?? top.packageManager) ?? lockOf(here) ?? lockOf(top);
  if (tool === "yarn" && (top.files.includes(".yarnrc.yml") || here.files.includes(".yarnrc.yml")))
    return [...manager, "npm", "publish", "--tolerate-republish", ...tag];
  const own: Readonly<Record<Tool, readonly string[]>> = {
    npm: [...manager, "publish", ...tag],
    pnpm: [...manager, "publish", "--no-git-checks", ...tag],
    yarn: ["npm", "publish", ...tag],
    bun: [...manager, "publish", ...tag],
  };
  // A registry that does not answer has it not: then publishing itself says what is wrong.
  const line =
    'if npm view "$1" version 2>/dev/null | grep -q .; then echo "$1 is there already"; else shift; "$@"; fi';
  const trusted = tool === "pnpm" ? trustedSettings(here, top) : "";
  return ["sh", "-euc", `${trusted}${line}`, "publish", `${name}@${version}`, ...own[tool ?? "npm"]];
}

/**
 * pnpm takes no `${NPM_TOKEN}` of a project's own .npmrc any more (seen: 10.34, 12.21), but does of the user's: here the user is the step,
 * which was given the token by name. Absolute, because pnpm 10 has npm publish from elsewhere. Who names another file is left alone.
 */
function trustedSettings(here: Found, top: Found): string {
  const at = [here, top].find(({ files }) => files.includes(".npmrc"));
  if (at === undefined) return "";
  const up = at === here || here.path === "." ? "" : `${here.path.replaceAll(/[^/]+/g, "..")}/`;
  return `export npm_config_userconfig="\${npm_config_userconfig:-$PWD/${up}.npmrc}"; `;
}

/** Exactly what the lock file says; a lock file that does not fit is a failure. */
function nodeInstall(at: Found, top: Found): readonly string[] {
  const manager = managerOf(at, at);
  const tool = lockOf(at) ?? toolOf(at.packageManager) ?? "npm";
  const isLocked = lockOf(at) !== null;
  switch (tool) {
    case "pnpm": {
      const command = [...manager, "install", ...(isLocked ? ["--frozen-lockfile"] : [])];
      const trusted = trustedSettings(at, top);
      return trusted === "" ? command : ["sh", "-euc", `${trusted}exec "$@"`, "install", ...command];
    }
    case "yarn": {
      return [...manager, "install", ...(isLocked ? [isBerry(at) ? "--immutable" : "--frozen-lockfile"] : [])];
    }
    case "bun":
      return [...manager, "install", ...(isLocked ? ["--frozen-lockfile"] : [])];
    default:
      return isLocked
        ? [...manager, "ci", "--no-audit", "--no-fund"]
        : [...manager, "install", "--no-audit", "--no-fund"];
  }
}

function pythonInstall({ files }: Found): readonly (readonly string[])[] {
  if (files.includes("uv.lock")) return [["uv", "sync", "--frozen"]];
  if (files.includes("poetry.lock")) return [["poetry", "install", "--no-interaction"]];
  const pip = [".venv/bin/python", "-m", "pip", "install", "--disable-pip-version-check"];
  const what = files.includes("requirements.txt") ? ["-r", "requirements.txt"] : ["."];
  return [
    ["python3", "-m", "venv", ".venv"],
    [...pip, ...what],
  ];
}

function isPython({ files }: Found): boolean {
  return ["requirements.txt", "uv.lock", "poetry.lock", "pyproject.toml"].some((name) => files.includes(name));
}

function pythonCommand(uses: BuiltInStep, here: Found, top: Found): readonly string[] | null {
  const at = isPython(here) ? here : null;
  if (at === null) return null;
  const has = (tool: string): boolean =>
    at.pyproject.includes(`[tool.${tool}`) || top.pyproject.includes(`[tool.${tool}`);
  // What was installed by `install` is before what the machine has.
  const tool = (name: string, ...args: string[]): readonly string[] => {
    if (at.files.includes("uv.lock")) return ["uv", "run", name, ...args];
    if (at.files.includes("poetry.lock")) return ["poetry", "run", name, ...args];
    return [name, ...args];
  };
  switch (uses) {
    case "lint":
      return has("ruff") ? tool("ruff", "check") : null;
    case "format":
      return has("ruff") ? tool("ruff", "format", "--check") : has("black") ? tool("black", "--check", ".") : null;
    case "typecheck":
      return has("mypy") ? tool("mypy", ".") : has("pyright") ? tool("pyright") : null;
    case "unit":
      return has("pytest") || at.files.includes("pytest.ini") ? tool("pytest") : null;
    case "integration":
      return /\bmarkers\s*=\s*\[[^\]]*["']integration\b/.test(at.pyproject)
        ? tool("pytest", "-m", "integration")
        : null;
    default:
      return null;
  }
}

type Tool = "npm" | "pnpm" | "yarn" | "bun";

function lockOf({ files }: Found): Tool | null {
  if (files.includes("package-lock.json") || files.includes("npm-shrinkwrap.json")) return "npm";
  if (files.includes("pnpm-lock.yaml")) return "pnpm";
  if (files.includes("yarn.lock")) return "yarn";
  return files.includes("bun.lock") || files.includes("bun.lockb") ? "bun" : null;
}

function toolOf(pinned: string | null): Tool | null {
  const name = pinned?.split("@")[0];
  return name === "npm" || name === "pnpm" || name === "yarn" || name === "bun" ? name : null;
}

/** The program, in the version that package.json pins where Node's own corepack can bring it. */
function managerOf(here: Found, top: Found): readonly string[] {
  const pinned = here.packageManager ?? top.packageManager;
  const tool = toolOf(pinned) ?? lockOf(here) ?? lockOf(top) ?? "npm";
  const version = /^(?:pnpm|yarn)@[0-9][^+\s]*/.exec(pinned ?? "")?.[0];
  return version === undefined ? [tool] : ["corepack", version];
}

function one(...command: readonly string[]): BuiltIn {
  return { is: "commands", commands: [command], atTop: false };
}
