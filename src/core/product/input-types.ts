import { type Key, type Node, type ObjectNode, productTree } from "./tree.ts";
import { defaultText, literal } from "./wording.ts";

/** How wide the generated comments are; the formatter's width. */
const width = 120;

/** The text of `input.ts`: the schema's types as interfaces with doc comments, so that an editor shows them on every key. */
export function inputTypes(): string {
  const interfaces = [...namedObjects(productTree())].map(interfaceText);
  return [
    "// Written by `npm run docs` from the schemas and key docs beside it. Do not edit.",
    'import type { HeldLine, RuleLine } from "./rule-line.ts";',
    'import type { JsonShape } from "./spec.ts";',
    'import type { Duration, Percent, Size } from "./units.ts";',
    "",
    ...interfaces,
  ].join("\n");
}

/** Each once, the outer before the inner. */
export function namedObjects(node: Node, seen = new Map<string, ObjectNode>()): Iterable<ObjectNode> {
  if (node.is === "object" && !seen.has(node.name)) {
    seen.set(node.name, node);
    for (const key of node.keys) namedObjects(key.node, seen);
  }
  if (node.is === "either") for (const one of node.of) namedObjects(one, seen);
  if (node.is === "list" || node.is === "map") namedObjects(node.of, seen);
  return seen.values();
}

/** A node as a TypeScript type. */
export function typeText(node: Node): string {
  switch (node.is) {
    case "value":
      return node.type;
    case "choice":
      return node.words.map((word) => JSON.stringify(word)).join(" | ");
    case "flag":
      return "boolean";
    case "off":
      return "false";
    case "list":
      return `${node.of.is === "either" || node.of.is === "choice" ? `(${typeText(node.of)})` : typeText(node.of)}[]`;
    case "map":
      return `Record<string, ${typeText(node.of)}${node.nullable ? " | null" : ""}>`;
    case "either":
      return node.of.map(typeText).join(" | ");
    case "object":
      return node.name;
  }
}

function interfaceText(object: ObjectNode): string {
  const keys = object.keys.map((key) => `${comment(docLines(key), "  ")}\n  ${keyText(key)}`);
  return `${comment([object.meaning], "")}\nexport interface ${object.name} {\n${keys.join("\n")}\n}\n`;
}

function keyText(key: Key): string {
  const type = `${typeText(key.node)}${key.nullable ? " | null" : ""}`;
  const line = key.required ? `${key.name}: ${type};` : `${key.name}?: ${type} | undefined;`;
  if (line.length + 2 <= width) return line;
  // As the formatter has it: one word a line.
  const [start = "", ...words] = line.replace(": ", " | ").split(" | ");
  return `${start}:${words.map((word) => `\n    | ${word}`).join("")}`;
}

function docLines({ doc, required }: Key): readonly string[] {
  const fallback = required || doc.default === undefined ? [] : [`@default ${defaultText(doc)}`];
  return [doc.meaning, ...fallback, `@example ${literal(doc.example)}`];
}

function comment(lines: readonly string[], indent: string): string {
  const text = lines.map((line) => line.replaceAll("*/", "*\\/"));
  if (text.length === 1 && text[0]!.length + indent.length + 7 <= width) return `${indent}/** ${text[0]} */`;
  const body = text.flatMap((line) => wrap(line, width - indent.length - 3));
  return [`${indent}/**`, ...body.map((line) => `${indent} * ${line}`), `${indent} */`].join("\n");
}

function wrap(line: string, columns: number): readonly string[] {
  const lines: string[] = [];
  let current = "";
  for (const word of line.split(" ")) {
    if (current !== "" && current.length + 1 + word.length > columns) {
      lines.push(current);
      current = word;
    } else current = current === "" ? word : `${current} ${word}`;
  }
  return [...lines, current];
}
