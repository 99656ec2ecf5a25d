import { z } from "zod";
import type { Json } from "../ids.ts";
import { keyDocs, valueKinds } from "./key.ts";
import { productSchema } from "./schema.ts";

/**
 * The JSON Schema of `slipway.config.json` and `.yaml`, for editors. Draft 7, because that is what the JSON and YAML
 * language servers know whole. It refuses what a schema can refuse; what needs two keys is for `slipway validate`.
 */
export function productJsonSchema(): { readonly [key: string]: Json } {
  const schema = z.toJSONSchema(productSchema, {
    target: "draft-7",
    io: "input",
    unrepresentable: "any",
    override({ zodSchema, jsonSchema }) {
      const kind = valueKinds.get(zodSchema);
      if (kind?.pattern !== undefined && jsonSchema.type === "string") jsonSchema.pattern = kind.pattern;
      const doc = keyDocs.get(zodSchema);
      if (doc === undefined) return;
      jsonSchema.description = doc.meaning;
      const depends = typeof doc.default === "string" && doc.default.startsWith("(");
      if (doc.default !== undefined && !depends)
        jsonSchema.default = doc.default as z.core.JSONSchema.JSONSchema["default"];
      jsonSchema.examples = [doc.example];
    },
  });
  const { $schema, ...rest } = schema;
  return { $schema, $id: "slipway.schema.json", title: "slipway.config", ...rest } as unknown as {
    readonly [key: string]: Json;
  };
}
