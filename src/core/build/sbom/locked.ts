import type { Component } from "./component.ts";

/**
 * What the product's lock files name. They are asked where the image itself does not tell: a bundler has left no
 * `node_modules`, or a program was made of one file. Lock files that are YAML come parsed, because core reads no YAML.
 */
export type LockFile =
  | { readonly name: "package-lock.json" | "npm-shrinkwrap.json"; readonly json: unknown }
  | { readonly name: "pnpm-lock.yaml"; readonly yaml: unknown }
  | { readonly name: "yarn.lock" | "poetry.lock" | "uv.lock" | "requirements.txt"; readonly text: string };

export function readLockFile(file: LockFile): Component[] {
  const found = pairsOf(file);
  const ecosystem = /^(?:poetry|uv|requirements)/.test(file.name) ? "pypi" : "npm";
  return found.map(([name, version]) => ({
    ecosystem,
    name,
    version,
    license: null,
    architecture: null,
    location: file.name,
  }));
}

type Pair = readonly [name: string, version: string];

function pairsOf(file: LockFile): Pair[] {
  switch (file.name) {
    case "package-lock.json":
    case "npm-shrinkwrap.json":
      return npmPairs(file.json);
    case "pnpm-lock.yaml":
      return pnpmPairs(file.yaml);
    case "yarn.lock":
      return yarnPairs(file.text);
    case "poetry.lock":
    case "uv.lock":
      return tomlPairs(file.text);
    case "requirements.txt":
      return requirementPairs(file.text);
  }
}

/** Versions 2 and 3: by place. What only development needs, and the product's own packages, are not in what runs. */
function npmPairs(json: unknown): Pair[] {
  return Object.entries(record(record(json).packages)).flatMap(([place, raw]): Pair[] => {
    const { version, dev, link, name } = record(raw);
    const at = place.lastIndexOf("node_modules/");
    if (at === -1 || dev === true || link === true || typeof version !== "string") return [];
    return [[typeof name === "string" ? name : place.slice(at + "node_modules/".length), version]];
  });
}

/** Keys are `name@version`, before version 9 `/name@version`, before 6 `/name/version`; peers follow in brackets or after `_`. */
function pnpmPairs(yaml: unknown): Pair[] {
  return Object.entries(record(record(yaml).packages)).flatMap(([key, raw]): Pair[] => {
    if (record(raw).dev === true) return [];
    const found = /^\/?((?:@[^/]+\/)?[^/@]+)[@/](\d[^(_]*)/.exec(key);
    return found === null ? [] : [[found[1] ?? "", found[2] ?? ""]];
  });
}

/** Both generations: a line of wishes, then `version "1.2.3"` or `version: 1.2.3`. */
function yarnPairs(text: string): Pair[] {
  return text.split(/\n(?=\S)/).flatMap((entry): Pair[] => {
    const name = /^"?((?:@[^/\s]+\/)?[^@\s"]+)@/.exec(entry)?.[1];
    const version = /^ {2}version:? "?([^"\s]+)/m.exec(entry)?.[1];
    const isOwn = /^"?[^\n]*@(?:workspace|link|file|portal):/.test(entry);
    return name === undefined || version === undefined || isOwn ? [] : [[name, version]];
  });
}

function tomlPairs(text: string): Pair[] {
  return text
    .split(/^\[\[package\]\]\s*$/m)
    .slice(1)
    .flatMap((entry): Pair[] => {
      const name = /^name = "([^"]+)"/m.exec(entry)?.[1];
      const version = /^version = "([^"]+)"/m.exec(entry)?.[1];
      // The product itself.
      const isOwn = /^source = \{ (?:virtual|editable|directory) = /m.test(entry);
      return name === undefined || version === undefined || isOwn ? [] : [[name, version]];
    });
}

/** Only what is pinned: a range says nothing about what is in the image. */
function requirementPairs(text: string): Pair[] {
  return text.split(/\r?\n/).flatMap((line): Pair[] => {
    const found = /^\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*===?\s*([\w.!+-]+)/.exec(line);
    return found === null ? [] : [[found[1] ?? "", found[2] ?? ""]];
  });
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
