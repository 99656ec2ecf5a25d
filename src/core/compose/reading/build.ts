import type { ComposeBuild } from "../model.ts";
import { field } from "../tree.ts";
import { Fields, type Read, text } from "./fields.ts";
import { fileMount } from "./mounts.ts";

/** `build`. Arguments without a value get that of the variable, or are left out. */
export function build(variables: Readonly<Record<string, string>>, directory: string): Read<ComposeBuild> {
  return (value, at, notes) => {
    if (typeof value === "string") return readBuild({ context: value }, at, notes);
    return readBuild(value, at, notes);
  };

  function readBuild(...[value, at, notes]: Parameters<Read<ComposeBuild>>): ComposeBuild {
    const fields = new Fields(value, at, notes);
    const inline = fields.text("dockerfile_inline");
    const found: ComposeBuild = {
      context: fields.text("context") ?? directory,
      dockerfile: fields.text("dockerfile"),
      dockerfileInline: inline,
      args: known(fields.pairs("args")),
      target: fields.text("target"),
      labels: fields.labels("labels"),
      secrets: fields.list("secrets", fileMount),
      platforms: fields.texts("platforms"),
      cacheFrom: fields.texts("cache_from"),
      cacheTo: fields.texts("cache_to"),
      tags: fields.texts("tags"),
      additionalContexts: known(fields.pairs("additional_contexts")),
      network: fields.read("network", text),
      sharedMemoryBytes: fields.bytes("shm_size"),
      noCache: fields.flag("no_cache") ?? false,
      pull: fields.flag("pull") ?? false,
      other: fields.kept(
        "ssh",
        "extra_hosts",
        "isolation",
        "privileged",
        "ulimits",
        "entitlements",
        "provenance",
        "sbom",
      ),
    };
    fields.end();
    if (inline !== null && found.dockerfile !== null)
      notes.error(at, "dockerfile and dockerfile_inline do not go together; keep one of them");
    return found;
  }

  function known(pairs: Readonly<Record<string, string | null>>): Readonly<Record<string, string>> {
    const entries = Object.entries(pairs).flatMap(([name, own]) => {
      const found = own ?? field(variables, name);
      return found === undefined ? [] : [[name, found] as const];
    });
    return Object.fromEntries(entries);
  }
}
