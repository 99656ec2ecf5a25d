import { z } from "zod";
import { type KeyDoc, keyDocs, typeNames, valueKinds } from "./key.ts";
import { productSchema } from "./schema.ts";

/** The schema as a person sees it: what the reference page, the types, `explain` and the problems are written from. */
export type Node =
  | { readonly is: "value"; readonly type: string; readonly allowed: string; readonly pattern: string | null }
  | { readonly is: "choice"; readonly words: readonly string[] }
  | { readonly is: "flag" }
  | { readonly is: "off" }
  | { readonly is: "list"; readonly of: Node }
  | { readonly is: "map"; readonly of: Node; readonly nullable: boolean }
  | { readonly is: "either"; readonly of: readonly Node[] }
  | { readonly is: "object"; readonly name: string; readonly meaning: string; readonly keys: readonly Key[] };

export type Key = {
  readonly name: string;
  readonly required: boolean;
  /** Null goes back to the default. */
  readonly nullable: boolean;
  readonly doc: KeyDoc;
  readonly node: Node;
};

/** A documented key and where it is: `services.*.health.interval`; `*` is any name or any place in a list. */
export type KeyPath = Key & { readonly path: readonly string[] };

export type ObjectNode = Extract<Node, { is: "object" }>;

const tree = { product: null as ObjectNode | null };

export function productTree(): ObjectNode {
  tree.product ??= objectNode(productSchema);
  return tree.product;
}

/** Every key there is, in the order in which they are documented, the product's own before the environments'. */
export function keyPaths(node: Node = productTree(), at: readonly string[] = []): readonly KeyPath[] {
  switch (node.is) {
    case "object":
      return node.keys.flatMap((key) => {
        const path = [...at, key.name];
        return [{ ...key, path }, ...keyPaths(key.node, path)];
      });
    case "map":
    case "list":
      return keyPaths(node.of, [...at, "*"]);
    case "either":
      return node.of.flatMap((one) => keyPaths(one, at));
    default:
      return [];
  }
}

/** The key at a real path, such as `services.web.routes.0.host`; null when there is none. */
export function keyAt(path: readonly PropertyKey[]): Key | null {
  let nodes: readonly Node[] = [productTree()];
  let key: Key | null = null;
  for (const segment of path) {
    const inner = nodes.flatMap((node) => (node.is === "either" ? node.of : [node]));
    key = inner.flatMap((node) => (node.is === "object" ? node.keys : [])).find((one) => one.name === segment) ?? null;
    nodes =
      key !== null ? [key.node] : inner.flatMap((node) => (node.is === "map" || node.is === "list" ? [node.of] : []));
    if (nodes.length === 0) return null;
  }
  return key;
}

/** The node at a real path: what may stand there, also inside lists and maps. */
export function nodesAt(path: readonly PropertyKey[]): readonly Node[] {
  return path.reduce<readonly Node[]>(
    (nodes, segment) =>
      nodes.flatMap((node) => {
        if (node.is === "object")
          return node.keys.filter((key) => key.name === segment).flatMap((key) => options(key.node));
        return node.is === "map" || node.is === "list" ? options(node.of) : [];
      }),
    [productTree()],
  );
}

function options(node: Node): readonly Node[] {
  return node.is === "either" ? node.of.flatMap(options) : [node];
}

function nodeOf(schema: z.core.$ZodType): Node {
  const kind = valueKinds.get(schema);
  if (kind !== undefined) return { is: "value", type: kind.type, allowed: kind.allowed, pattern: kind.pattern ?? null };
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return nodeOf(schema.unwrap());
  if (schema instanceof z.ZodEnum) return { is: "choice", words: schema.options.map(String) };
  if (schema instanceof z.ZodBoolean) return { is: "flag" };
  if (schema instanceof z.ZodLiteral) return { is: "off" };
  if (schema instanceof z.ZodArray) return { is: "list", of: nodeOf(schema.element) };
  if (schema instanceof z.ZodUnion) return { is: "either", of: schema.options.map(nodeOf) };
  if (schema instanceof z.ZodRecord)
    return { is: "map", of: nodeOf(schema.valueType), nullable: schema.valueType instanceof z.ZodNullable };
  if (schema instanceof z.ZodObject) return objectNode(schema);
  throw new Error(`a config key has a schema of a kind that the docs do not know: ${schema._zod.def.type}`);
}

function objectNode(schema: z.ZodObject): ObjectNode {
  const named = typeNames.get(schema);
  if (named === undefined) throw new Error(`an object of the config has no name: ${Object.keys(schema.shape)}`);
  const keys = Object.entries(schema.shape).map(([name, of]): Key => {
    const doc = keyDocs.get(of);
    if (doc === undefined) throw new Error(`the key ${name} of ${named.name} has no doc`);
    const nullable = of instanceof z.ZodOptional && of.unwrap() instanceof z.ZodNullable;
    return { name, required: !(of instanceof z.ZodOptional), nullable, doc, node: nodeOf(of) };
  });
  return { is: "object", name: named.name, meaning: named.meaning, keys };
}
