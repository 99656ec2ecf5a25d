import { nothing, type Reading, type Sources } from "./sources.ts";

/** A directory with an `index.html` and nothing to run. */
export function readSite(sources: Sources): Reading {
  const folder = ["public", "site", "www", "dist", "."].find((path) =>
    sources.has(path === "." ? "index.html" : `${path}/index.html`),
  );
  if (folder === undefined) return nothing;
  const service = { kind: "static" as const, ...(folder === "." ? {} : { path: folder }) };
  const guesses =
    folder === "."
      ? [
          "Every file here is served, as committed, but for hidden ones and this config; set path to a directory to serve only that.",
        ]
      : [];
  return {
    drafts: [{ name: "web", from: `${folder === "." ? "" : `${folder}/`}index.html`, service, guesses }],
    notes: [],
  };
}
