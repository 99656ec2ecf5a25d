import { type SynthFile, textFile } from "./artifact.ts";
import type { SynthProduct } from "./product.ts";
import { type Yaml, yamlText } from "./yaml.ts";

/** By which files an ecosystem is known; the first that fits a directory of its kind is taken. */
const ecosystems: readonly { readonly name: string; readonly kind: string; readonly file: RegExp }[] = [
  { name: "npm", kind: "node", file: /^(?:package-lock\.json|npm-shrinkwrap\.json|pnpm-lock\.yaml|yarn\.lock)$/ },
  { name: "bun", kind: "node", file: /^bun\.lock$/ },
  { name: "uv", kind: "python", file: /^uv\.lock$/ },
  { name: "pip", kind: "python", file: /^(?:requirements[\w.-]*\.txt|poetry\.lock|Pipfile\.lock|pyproject\.toml)$/ },
  { name: "docker", kind: "docker", file: /^(?:[\w.-]+\.)?Dockerfile(?:\.[\w.-]+)?$/ },
  { name: "docker-compose", kind: "compose", file: /^(?:docker-)?compose(?:\.[\w-]+)*\.ya?ml$/ },
];

const mostRequests = 5;

/**
 * Weekly updates for what git has; small ones come as one request. A package of an npm workspace is updated by the lock file above
 * it. What synth writes itself is not among it: its versions come from the config. Pins of actions are, and synth leaves them.
 */
export function dependabotFiles(product: SynthProduct): readonly SynthFile[] {
  return [
    textFile({
      artifact: "dependabot",
      base: "repository",
      path: ".github/dependabot.yml",
      text: yamlText({ version: 2, updates: updates(product.files) }),
    }),
  ];
}

function updates(files: readonly string[]): readonly Yaml[] {
  const found = new Map<string, { readonly name: string; readonly directories: Set<string> }>();
  const taken = new Set<string>();
  for (const { name, kind, file } of ecosystems) {
    for (const path of files) {
      const slash = path.lastIndexOf("/");
      const directory = slash === -1 ? "/" : `/${path.slice(0, slash)}`;
      if (!file.test(path.slice(slash + 1)) || /(?:^|\/)node_modules\//.test(path)) continue;
      if (taken.has(`${kind} ${directory}`) && found.get(name)?.directories.has(directory) !== true) continue;
      taken.add(`${kind} ${directory}`);
      const entry = found.get(name) ?? { name, directories: new Set<string>() };
      entry.directories.add(directory);
      found.set(name, entry);
    }
  }
  return [
    update("github-actions", ["/"]),
    ...[...found.values()].map(({ name, directories }) => update(name, [...directories].sort())),
  ];
}

function update(ecosystem: string, directories: readonly string[]): Yaml {
  const [only] = directories;
  return {
    "package-ecosystem": ecosystem,
    ...(directories.length === 1 && only !== undefined ? { directory: only } : { directories }),
    schedule: { interval: "weekly" },
    "open-pull-requests-limit": mostRequests,
    groups: { small: { "update-types": ["minor", "patch"] } },
  };
}
