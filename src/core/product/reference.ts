import { explainKey } from "./explain.ts";
import { namedObjects, typeText } from "./input-types.ts";
import { type Key, type ObjectNode, productTree } from "./tree.ts";
import { defaultText, literal } from "./wording.ts";

/** The text of `docs/config.md`: every key of the config, from the same words as `slipway explain`. */
export function configReference(): string {
  const objects = [...namedObjects(productTree())];
  const own = objects.filter(({ name }) => !isOverride(name));
  return [introduction, ...own.map(section), overrides(objects.filter(({ name }) => isOverride(name)))].join("\n");
}

const introduction = `<!-- Written by \`npm run docs\` from the schemas in src/core/product. Do not edit. -->
# The config

One file at the top of the repository, \`slipway.config.ts\` (or \`.mts\`, \`.js\`, \`.mjs\`, \`.json\`, \`.yaml\`, \`.yml\`), says how a
product is built, shipped, watched and taken back. \`slipway init\` writes one, \`slipway validate\` checks it, and
\`slipway explain <key>\` prints what is on this page for one key.

\`\`\`ts
import { defineProduct } from "slipway";

export default defineProduct({
  name: "shop",
  services: {
    web: { kind: "web", command: ["node", "server.js"], health: { path: "/up" } },
    mailer: { kind: "worker", command: ["node", "mailer.js"], needs: ["web"] },
  },
  environments: {
    staging: { edge: { listen: ":8081" }, rollout: { bake: "30s" } },
    production: { promoteFrom: "staging", services: { web: { instances: 3 } } },
  },
});
\`\`\`

The same in YAML, with completion from the JSON Schema in the package:

\`\`\`yaml
# yaml-language-server: $schema=./node_modules/slipway/schema/slipway.schema.json
name: shop
services:
  web:
    kind: web
    command: [node, server.js]
    health: { path: /up }
\`\`\`

A config is read from the commit that is released, so it must not depend on what is not in git: not on variables of the
shell, not on the clock. A \`.ts\` or \`.js\` config may export a promise; it has ten seconds.

| unit | written | means |
|---|---|---|
| Duration | \`250ms\`, \`30s\`, \`5m\`, \`1h30m\`, \`2d\` | always with a unit, the largest first |
| Percent | \`25%\`, \`2.5%\` | 0% to 100% |
| Size | \`512MB\`, \`512MiB\` | \`kB MB GB TB\` count by 1000, \`KiB MiB GiB TiB\` by 1024 |
`;

function section({ name, meaning, keys }: ObjectNode): string {
  const title = name.replace(/Input$/, "");
  const rows = keys.map(
    (key) => `| \`${key.name}\` | ${typeCell(key)} | ${defaultCell(key)} | ${cell(key.doc.meaning)} |`,
  );
  const examples = keys.map((key) => `  ${propertyName(key.name)}: ${literal(key.doc.example)},`);
  return [
    `## ${title}`,
    "",
    meaning,
    "",
    "| key | type | default | meaning |",
    "|---|---|---|---|",
    ...rows,
    "",
    "```ts",
    "{",
    ...examples,
    "}",
    "```",
    "",
  ].join("\n");
}

function overrides(objects: readonly ObjectNode[]): string {
  const rows = objects.map(({ name, keys }) => {
    return `| ${name.replace(/Override$/, "")} | ${keys.map((key) => `\`${key.name}\``).join(", ")} |`;
  });
  const leave = explainKey("environments.*.services");
  return [
    "## What an environment may change",
    "",
    "Maps are merged key by key; texts, numbers and lists replace. `null` takes the product's value away, so that the default",
    `holds again. ${leave.found ? leave.explanation.meaning : ""} \`health.body\`, \`edge.sticky\` and \`edge.optIn\` are replaced as a whole. What makes the`,
    "artifact (`kind`, `path`, `build`) and `needs` are the same everywhere, because the same artifact is promoted.",
    "",
    "| of | keys |",
    "|---|---|",
    ...rows,
    "",
  ].join("\n");
}

function isOverride(name: string): boolean {
  return name.endsWith("Override");
}

function typeCell(key: Key): string {
  return `\`${cell(typeText(key.node))}\``;
}

function defaultCell({ required, doc }: Key): string {
  if (required) return "**must be given**";
  const depends = typeof doc.default === "string" && doc.default.startsWith("(");
  return depends ? cell(defaultText(doc)) : `\`${cell(defaultText(doc))}\``;
}

/** A pipe would end the cell. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

function propertyName(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
}
