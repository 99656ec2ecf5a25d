import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, it } from "vitest";
import type { ComposeModel } from "../../../core/compose/model.ts";
import { normalForm, sorted } from "./normal-form.fixture.ts";
import { readCompose } from "./read.ts";

/**
 * Our reading of each project of the corpus against that of `docker compose config`: the same model, key by key, or both
 * refuse it. Needs no engine: only Compose v2's binary, by `DOCKER_COMPOSE`, as a plugin of docker, or on the PATH.
 */

type Case = {
  readonly files?: readonly string[];
  readonly profiles?: readonly string[];
  readonly name?: string;
  readonly variables?: Readonly<Record<string, string>>;
};

const corpus = fileURLToPath(new URL("corpus", import.meta.url));
const compose = findCompose();

/** Where we are of another opinion than Compose, or than a Compose before a version, and why. */
const otherwise: Readonly<Record<string, { readonly why: string; readonly before?: readonly [number, number] }>> = {
  "volume-empty": { why: "Compose takes `a::b` for the drive of a Windows path" },
  "include-merges": { why: "a file may change what it includes since Compose 5; before, it was a conflict" },
  "env-files": { why: "`format: raw` came later", before: [2, 30] },
  healthchecks: { why: "days in durations came later", before: [2, 30] },
  monitoring: { why: "a mode in quotes was read as decimal", before: [2, 30] },
  "ports-refused-6": { why: "addresses were not checked", before: [2, 30] },
  "volume-twice": { why: "tmpfs was not looked at", before: [2, 30] },
};

describe.skipIf(compose === null && process.env.CI === undefined)("read as docker compose reads it:", () => {
  it("Compose v2 is here to judge (Debian 13: docker-compose; or set DOCKER_COMPOSE)", () => {
    expect(compose).not.toBeNull();
    expect(readdirSync(corpus).length).toBeGreaterThan(100);
  });

  for (const name of readdirSync(corpus).sort()) {
    it(name, () => {
      const directory = join(corpus, name);
      const { files, profiles, name: project, variables = {} } = caseOf(directory);
      const read = readCompose({
        directory,
        variables,
        home: "/home/somebody",
        ...(files === undefined ? {} : { files }),
        ...(profiles === undefined ? {} : { profiles }),
        ...(project === undefined ? {} : { name: project }),
      });
      const theirs = configOf(directory, { files, profiles, name: project, variables });
      const exception = otherwise[name];
      if (exception !== undefined && isBefore(exception.before)) {
        // It stays on the list only as long as it is true.
        expect(sameAs(theirs, read.model), exception.why).toBe(false);
        return;
      }
      if (theirs === null) {
        expect(read.model, "Compose refuses it").toBeNull();
        return;
      }
      expect(read.problems.filter(({ severity }) => severity === "error")).toEqual([]);
      expect(JSON.parse(JSON.stringify(normalForm(read.model!)))).toEqual(sorted(theirs));
    });
  }
});

function sameAs(theirs: unknown, model: ComposeModel | null): boolean {
  if (theirs === null || model === null) return theirs === null && model === null;
  return isDeepStrictEqual(JSON.parse(JSON.stringify(normalForm(model))), sorted(theirs));
}

function isBefore(version: readonly [number, number] | undefined): boolean {
  if (version === undefined) return true;
  const [major, minor] = compose!.version;
  return major < version[0] || (major === version[0] && minor < version[1]);
}

function caseOf(directory: string): Case {
  const file = join(directory, "case.json");
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Case) : {};
}

function configOf(
  directory: string,
  { files, profiles, name, variables }: { [Key in keyof Case]: Case[Key] | undefined },
): unknown {
  const args = [
    ...(files ?? []).flatMap((file) => ["-f", file]),
    ...(profiles ?? []).flatMap((profile) => ["--profile", profile]),
    ...(name === undefined ? [] : ["-p", name]),
    ...["config", "--format", "json"],
  ];
  try {
    const out = execFileSync(compose!.path, args, {
      cwd: directory,
      env: { HOME: "/home/somebody", ...variables },
      stdio: ["ignore", "pipe", "ignore"],
      encoding: "utf8",
    });
    return JSON.parse(out);
  } catch (refused) {
    if (typeof (refused as { status?: unknown }).status !== "number") throw refused;
    return null;
  }
}

type Compose = { readonly path: string; readonly version: readonly [number, number] };

function findCompose(): Compose | null {
  const places = [
    process.env.DOCKER_COMPOSE,
    "/usr/libexec/docker/cli-plugins/docker-compose",
    "/usr/lib/docker/cli-plugins/docker-compose",
    ...(process.env.PATH ?? "").split(":").map((directory) => join(directory, "docker-compose")),
  ];
  for (const path of places.filter((place) => place !== undefined && existsSync(place))) {
    const version = /(\d+)\.(\d+)/.exec(execFileSync(path!, ["version", "--short"], { encoding: "utf8" }));
    // Debian 12's is the old one, written in Python: it reads other things in other ways.
    if (Number(version?.[1]) >= 2) return { path: path!, version: [Number(version![1]), Number(version![2])] };
  }
  return null;
}
