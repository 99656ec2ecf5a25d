import { promises } from "./promises.ts";
import type { Summary } from "./run.ts";

/** Lines of a trace that are shown with a broken promise: what came just before it. */
const shownLines = 1;

/** What a run came to, for a person. */
export function summaryText({ deployments, worlds, tally, broken, wallMs, cpuMs }: Summary): string {
  const count = (what: string): number => tally[what] ?? 0;
  const named = (start: string): [string, number][] =>
    Object.entries(tally)
      .filter(([what]) => what.startsWith(start))
      .map(([what, value]): [string, number] => [what.slice(start.length), value])
      .sort(([, a], [, b]) => b - a);
  const list = (entries: readonly [string, number][]): string =>
    entries.map(([what, value]) => `${what} ${value}`).join(", ");
  const perMinute = Math.round((deployments / wallMs) * 60_000);
  const perCpuMinute = Math.round((deployments / cpuMs) * 60_000);
  return [
    `${deployments} deployments in ${worlds} worlds, in ${(wallMs / 1_000).toFixed(1)} s: ${perMinute} a minute (${perCpuMinute} in a minute of one processor)`,
    `ended         ${list(named("ended "))}`,
    `troubles      ${list(named("fault "))}`,
    `requests      ${count("requests lost by a lie") + count("requests lost while one stopped for another")} lost where hosts lied or one side stopped for the other, ${count("requests that waited in vain")} waited in vain, ${count("requests cut by slipway")} still under way when their drain was over`,
    "",
    "promise                                                                                       broken in worlds",
    ...Object.entries(promises).map(([name, text]) => {
      const worldsOf = broken.filter((told) => told.broken.some(({ promise }) => promise === name));
      return `  ${name.padEnd(16)} ${text.padEnd(82)} ${worldsOf.length}`;
    }),
    "",
    ...broken.flatMap(({ seed, broken: found }) =>
      found
        .slice(0, shownLines)
        .map(({ promise, what }) => `BROKEN  ${promise}: ${what}\n        npm run sim -- --replay ${seed}`),
    ),
    "",
  ].join("\n");
}
