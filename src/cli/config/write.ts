import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SlipwayError } from "../../core/errors/error.ts";
import type { Json } from "../../core/ids.ts";
import { literal } from "../../core/product/wording.ts";
import type { Detection } from "./detect.ts";
import { configNames } from "./find.ts";

const fileName = "slipway.config.ts";
const width = 110;

/**
 * Writes `slipway.config.ts`, with a comment for all that was guessed, and gives its path. Never writes over a config
 * without `force`, and never beside one of another name. Errors: CONFIG_EXISTS.
 */
export async function writeConfig(directory: string, detection: Detection, { force = false } = {}): Promise<string> {
  const file = join(directory, fileName);
  const other = configNames.find((name) => name !== fileName && existsSync(join(directory, name)));
  if (other !== undefined)
    throw new SlipwayError("CONFIG_EXISTS", {
      message: `there is a ${other} already, and a product has one config`,
      hint: `remove it first, or check it: slipway validate`,
    });
  try {
    await writeFile(file, configText(detection), { flag: force ? "w" : "wx" });
    return file;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause;
    throw new SlipwayError("CONFIG_EXISTS", { message: `there is a ${fileName} already`, cause });
  }
}

/** The text of a first config. */
export function configText({ product, services, notes }: Detection): string {
  const blocks = Object.entries(product.services ?? {}).map(([name, service]) => {
    const { from, guesses } = services[name]!;
    const keys = Object.entries(service).map(([key, value]) => property(key, value as Json, "      "));
    const comments = [`From ${from}.`, ...guesses.map((guess) => `Guess: ${guess}`)];
    return [...comments.flatMap((text) => comment(text, "    ")), `    ${keyText(name)}: {`, ...keys, "    },"].join(
      "\n",
    );
  });
  return `import { defineProduct } from "slipway";

// Written by: slipway init. Check it with: slipway validate. What a key means: slipway explain <key>.
${notes
  .flatMap((note) => comment(note, ""))
  .map((line) => `${line}\n`)
  .join("")}export default defineProduct({
  name: ${JSON.stringify(product.name)},
${servicesText(product, blocks)}
${placeText(product)}  environments: {
    // A place to try a release first: take away the slashes, and production lets in only what has succeeded there.
    // staging: { edge: { listen: ":8081" }, rollout: { bake: "30s" } },
    production: {
      // promoteFrom: "staging",
${product.edge === undefined ? '      edge: { listen: ":8080" },\n' : ""}    },
  },
});
`;
}

/** Those of a Compose file are not written again. */
function servicesText({ target }: Detection["product"], blocks: readonly string[]): string {
  if (target?.driver !== "compose") return `  services: {\n${blocks.join("\n")}\n  },`;
  return [
    property("target", target as unknown as Json, "  "),
    '  // Elsewhere than on this machine: target: { …, hosts: ["ssh://deploy@203.0.113.7"] }',
    '  // services: { web: { instances: 2, routes: ["shop.example.com"] } },',
  ].join("\n");
}

/** Where containers run, with what is to be filled in; nothing for processes. */
function placeText({ name, target, edge }: Detection["product"]): string {
  if (target?.driver !== "docker") return "";
  return `  // Fill in: your servers with Docker, by SSH. Make each ready once: slipway server bootstrap ssh://root@<host> --caddy official
  target: ${literal({ ...target } as Json)},
  // With a registry hosts pull from it; without one they are sent what they lack.
  // registry: { repository: "ghcr.io/you/${name}", user: "you", passwordFrom: "REGISTRY_TOKEN" },
  edge: {
${Object.entries(edge ?? {})
  .map(([key, value]) => property(key, value as Json, "    "))
  .join("\n")}
    // With a domain, in a route such as routes: ["shop.example.com"]; plain HTTP is then sent to https:
    // tls: { acme: { email: "you@example.com" } },
  },
`;
}

/** On one line where it fits, else one level deeper. */
function property(key: string, value: Json, indent: string): string {
  const line = `${indent}${keyText(key)}: ${literal(value)},`;
  if (line.length <= width || typeof value !== "object" || value === null) return line;
  const deeper = `${indent}  `;
  if (Array.isArray(value))
    return [`${indent}${keyText(key)}: [`, ...value.map((item) => `${deeper}${literal(item)},`), `${indent}],`].join(
      "\n",
    );
  const inner = Object.entries(value).map(([name, item]) => property(name, item ?? null, deeper));
  return [`${indent}${keyText(key)}: {`, ...inner, `${indent}},`].join("\n");
}

function keyText(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}

function comment(text: string, indent: string): readonly string[] {
  const lines: string[] = [];
  for (const word of text.replaceAll(/\s+/g, " ").split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || `${indent}// ${last} ${word}`.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines.map((line) => `${indent}// ${line}`);
}
