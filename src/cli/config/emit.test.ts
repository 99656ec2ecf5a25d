import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { generatedFiles } from "./emit.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

test.each([...generatedFiles()])("%s is what the schema says; when it is not, run: npm run docs", (path, text) => {
  expect(readFileSync(`${root}${path}`, "utf8")).toBe(text);
});
