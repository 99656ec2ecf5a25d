import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ImageStore } from "./image-store.ts";

const sha = (b: Buffer): `sha256:${string}` => `sha256:${createHash("sha256").update(b).digest("hex")}`;
let count = 0;
export function plainStore(directory: string): ImageStore & { readonly documents: Map<string, Buffer> } {
  const documents = new Map<string, Buffer>();
  return {
    documents,
    keep: async (archive) => {
      const at = join(directory, String(count++));
      mkdirSync(at, { recursive: true });
      await writeFile(join(at, "a.tar"), archive);
      execFileSync("tar", ["-xf", "a.tar"], { cwd: at });
      const [m] = JSON.parse(readFileSync(join(at, "manifest.json"), "utf8")) as [{ Config: string; Layers: string[] }];
      const config = readFileSync(join(at, m.Config));
      writeFileSync(join(at, "config.json"), config);
      const layers = m.Layers.map((l) => ({ digest: sha(readFileSync(join(at, l))), file: join(at, l) }));
      return {
        id: sha(config),
        digest: sha(Buffer.from(JSON.stringify(layers.map((l) => l.digest)) + sha(config))),
        layout: at,
        layers,
        bytes: layers.reduce((n, l) => n + statSync(l.file).size, 0),
      };
    },
    attach: async (_subject, { content }) => {
      const d = sha(content);
      documents.set(d, content);
      return d;
    },
  };
}
