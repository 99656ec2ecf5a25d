import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Json } from "../../core/ids.ts";
import { inputTypes } from "../../core/product/input-types.ts";
import { productJsonSchema } from "../../core/product/json-schema.ts";
import { configReference } from "../../core/product/reference.ts";

/** The files that are written from the schema, by their path in this repository. A test holds them equal to what is committed. */
export function generatedFiles(): ReadonlyMap<string, string> {
  return new Map([
    ["src/core/product/input.ts", inputTypes()],
    ["schema/slipway.schema.json", `${formattedJson(productJsonSchema(), "", 0)}\n`],
    ["docs/config.md", configReference()],
  ]);
}

export function writeGenerated(root: string): void {
  for (const [path, text] of generatedFiles()) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

const width = 120;

/** As the formatter has it: a list stays on one line where it fits. `before` is how much of the line is taken already. */
function formattedJson(value: Json | undefined, indent: string, before: number): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    const line = onOneLine(value);
    if (line !== null && before + line.length < width) return line;
    const items = value.map((item) => `${deeper}${formattedJson(item, deeper, deeper.length)}`);
    return `[\n${items.join(",\n")}\n${indent}]`;
  }
  const entries = Object.entries(value).map(([key, item]) => {
    const label = `${deeper}${JSON.stringify(key)}: `;
    return `${label}${formattedJson(item, deeper, label.length)}`;
  });
  return entries.length === 0 ? "{}" : `{\n${entries.join(",\n")}\n${indent}}`;
}

/** A list with no object in it, at any depth. */
function onOneLine(value: Json): string | null {
  if (!Array.isArray(value)) return typeof value === "object" && value !== null ? null : JSON.stringify(value);
  const items = value.map(onOneLine);
  return items.includes(null) ? null : `[${items.join(", ")}]`;
}

// Run as a program, from dist/cli/config: `npm run docs`.
if (process.argv[1] === fileURLToPath(import.meta.url))
  writeGenerated(fileURLToPath(new URL("../../..", import.meta.url)));
