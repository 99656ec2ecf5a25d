import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseAllDocuments, Scalar, type YAMLMap } from "yaml";
import { plainScalar } from "../../../core/compose/scalars.ts";
import type { At, ComposeDocument, Raw } from "../../../core/compose/tree.ts";

// Counted after aliases have been filled in, so that ten lines of them are no bomb. The largest that Compose reads, too.
const maxNodes = 100_000;
const maxDepth = 100;

/**
 * The documents of a Compose file: YAML 1.2 with anchors and `<<`, scalars as Compose reads them, `!reset` and `!override`
 * as places. Never throws: a fault says line, column and why.
 */
export function composeYaml(text: string): readonly ComposeDocument[] | { readonly fault: string } {
  const lines = new LineCounter();
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${line}:${col}`;
  };
  try {
    refuseDepth(text);
    // Keys are compared here, by a set: the parser's own way takes the square of their number.
    const documents = parseAllDocuments(text, {
      schema: "failsafe",
      lineCounter: lines,
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: "silent",
    });
    if (!Array.isArray(documents)) return [];
    return documents.map((document) => {
      const [error] = document.errors;
      if (error !== undefined) throw new Fault(plainFault(error.code, error.message), error.pos[0]);
      const { value, replaced } = new Conversion().of(document.contents, 0);
      return { value, replaced };
    });
  } catch (fault) {
    if (fault instanceof Fault)
      return {
        fault: fault.offset === null ? fault.message : `line ${place(fault.offset)}: ${fault.message.split("\n")[0]}`,
      };
    // The parser descends by calls; what is too deep for them is too deep for a person.
    if (fault instanceof RangeError) return { fault: "it is nested too deep" };
    throw fault;
  }
}

function plainFault(code: string, message: string): string {
  if (code === "TAB_AS_INDENT") return "a tab at the beginning; use spaces";
  // The parser descends by calls, and tells of it as of a mistake in the text.
  return message.includes("call stack") ? "nested too deep" : message;
}

class Fault extends Error {
  readonly offset: number | null;

  constructor(message: string, offset: number | null) {
    super(message);
    this.offset = offset;
  }
}

type Converted = {
  readonly value: Raw;
  readonly replaced: readonly At[];
  readonly nodes: number;
  readonly depth: number;
  readonly dropped: boolean;
};

/** One document, from nodes to values. Anchors are known by what they stood for when they were passed. */
class Conversion {
  readonly #anchors = new Map<string, Converted>();
  #nodes = 0;

  of(node: Node | null, depth: number): Converted {
    this.#spend(1, depth, node);
    if (isAlias(node)) return this.#alias(node.source, depth, node);
    const converted = this.#tagged(node, depth);
    const anchor = node !== null && "anchor" in node ? node.anchor : undefined;
    if (anchor !== undefined) this.#anchors.set(anchor, converted);
    return converted;
  }

  #spend(nodes: number, depth: number, node: Node | null): void {
    this.#nodes += nodes;
    if (this.#nodes > maxNodes) throw new Fault(`more than ${maxNodes} values, aliases filled in`, null);
    if (depth > maxDepth) throw new Fault(`nested more than ${maxDepth} deep`, node?.range?.[0] ?? null);
  }

  #alias(name: string, depth: number, node: Node): Converted {
    const found = this.#anchors.get(name);
    if (found === undefined) throw new Fault(`*${name} stands for nothing before it`, node.range?.[0] ?? null);
    this.#spend(found.nodes, depth + found.depth, node);
    return found;
  }

  #tagged(node: Node | null, depth: number): Converted {
    const converted = this.#plain(node, depth);
    const tag = node === null || isAlias(node) ? undefined : node.tag;
    if (tag === "!reset") return { ...converted, replaced: [[]], dropped: true };
    return tag === "!override" ? { ...converted, replaced: [[]] } : converted;
  }

  #plain(node: Node | null, depth: number): Converted {
    if (isMap(node)) return this.#map(node, depth);
    if (isSeq(node)) {
      const items = node.items.map((item) => this.of(item as Node, depth + 1)).filter(({ dropped }) => !dropped);
      return joined(
        items,
        items.map(({ value }) => value),
        [],
      );
    }
    return { value: isScalar(node) ? scalarOf(node) : null, replaced: [], nodes: 1, depth: 0, dropped: false };
  }

  #map(node: YAMLMap, depth: number): Converted {
    const own = new Map<string, Converted>();
    const merged: Converted[] = [];
    for (const { key, value } of node.items) {
      const name = this.#key(key as Node | null);
      if (own.has(name.text))
        throw new Fault(`the key ${JSON.stringify(name.text.slice(0, 60))} is there twice`, name.offset);
      const converted = this.of(value as Node | null, depth + 1);
      if (name.merge) merged.push(...this.#mergeSources(converted, value as Node | null, depth, name.offset));
      own.set(name.text, name.merge ? { ...converted, dropped: true } : converted);
    }
    const all = new Map<string, Converted>();
    // The first of several that are merged wins over the next, and what the map says itself over all of them.
    for (const source of merged.toReversed())
      for (const [key, value] of Object.entries(source.value as { [key: string]: Raw }))
        all.set(key, { ...source, value, replaced: below(source.replaced, key), nodes: 0 });
    for (const [key, converted] of own) if (!(converted.dropped && key === "<<")) all.set(key, converted);
    const kept = [...all].filter(([, { dropped }]) => !dropped);
    const replaced = [...all].flatMap(([key, item]) => item.replaced.map((at) => [key, ...at]));
    return joined(
      [...own.values()],
      Object.fromEntries(kept.map(([key, { value }]) => [key, value] as const)),
      replaced,
    );
  }

  #key(key: Node | null): { readonly text: string; readonly merge: boolean; readonly offset: number | null } {
    const offset = key?.range?.[0] ?? null;
    if (!isScalar(key)) throw new Fault("a key is a text on one line", offset);
    this.#spend(1, 0, key);
    const text = String(key.value ?? "");
    const plain = key.type === Scalar.PLAIN;
    if (plain && typeof plainScalar(text) !== "string")
      throw new Fault(`the key ${text || "null"} is no text; put it in quotes`, offset);
    return { text, merge: plain && text === "<<", offset };
  }

  #mergeSources(converted: Converted, node: Node | null, depth: number, offset: number | null): readonly Converted[] {
    const { value } = converted;
    if (isSeq(node))
      return node.items.flatMap((item) => {
        const one = this.of(item as Node, depth + 1);
        return this.#mergeSources(one, null, depth, offset);
      });
    if (Array.isArray(value))
      return value.flatMap((item) =>
        this.#mergeSources({ ...converted, value: item, replaced: [] }, null, depth, offset),
      );
    if (typeof value !== "object" || value === null) throw new Fault("<< takes an object, or a list of them", offset);
    return [converted];
  }
}

function joined(parts: readonly Converted[], value: Raw, replaced: readonly At[]): Converted {
  return {
    value,
    replaced,
    nodes: 1 + parts.reduce((sum, { nodes }) => sum + nodes, 0),
    depth: 1 + parts.reduce((most, { depth }) => Math.max(most, depth), 0),
    dropped: false,
  };
}

function below(places: readonly At[], key: string): readonly At[] {
  return places.filter(([first]) => first === key).map((place) => place.slice(1));
}

const coreTags = ["int", "float", "bool", "null"].map((name) => `tag:yaml.org,2002:${name}`);

function scalarOf(node: Scalar): Raw {
  const text = String(node.value ?? "");
  if (node.tag !== undefined && coreTags.includes(node.tag)) return plainScalar(text);
  const plain = node.type === Scalar.PLAIN && node.tag !== "tag:yaml.org,2002:str";
  return plain ? plainScalar(text) : text;
}

/** Brackets alone may be a million deep, and the parser takes the square of that. */
function refuseDepth(text: string): void {
  let open = 0;
  let deepest = 0;
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (character === "[" || character === "{") deepest = Math.max(deepest, ++open);
    else if (character === "]" || character === "}") open = Math.max(0, open - 1);
    // Brackets in texts and comments need not be closed; a line of a block ends them.
    else if (character === "\n" && /[^\s[\]{},]/.test(text[index + 1] ?? "")) open = 0;
  }
  if (deepest > 10 * maxDepth) throw new Fault(`brackets are nested more than ${10 * maxDepth} deep`, null);
}
