import { commandOf, type Draft, fixedPort, healthOf, nothing, type Reading, type Sources } from "./sources.ts";

/** `web: command` lines: `web` listens, `release` runs once before the others, all else are workers. */
export function readProcfile(sources: Sources, build: Draft["service"]["build"]): Reading {
  const text = sources.read("Procfile");
  if (text === null) return nothing;
  const lines = text.split("\n").flatMap((line) => {
    const match = /^([A-Za-z][\w-]*):\s*(\S.*)$/.exec(line.trim());
    return match === null ? [] : [{ name: match[1]!, line: match[2]! }];
  });
  const releases = lines.some(({ name }) => name === "release");
  const drafts = lines.map(({ name, line }): Draft => {
    const from = `Procfile: ${name}`;
    const command = commandOf(line);
    const base = build === undefined ? {} : { build };
    if (name === "release") return { name, from, guesses: [], service: { kind: "job", ...base, command } };
    const needs = releases ? { needs: ["release"] } : {};
    if (name !== "web") return { name, from, guesses: [], service: { kind: "worker", ...base, command, ...needs } };
    const { guesses, ...health } = healthOf(null);
    return {
      name,
      from,
      guesses: [...guesses, ...fixedPort(line)],
      service: { kind: "web", ...base, command, ...health, ...needs },
    };
  });
  return { drafts, notes: [] };
}
