import { type Commit, type ReadCommit, readCommit } from "./commit.ts";

export type ChangeLogSection = { readonly title: string; readonly lines: readonly string[] };

const titles: readonly (readonly [types: readonly string[], title: string])[] = [
  [["feat"], "Features"],
  [["fix", "hotfix"], "Fixes"],
  [["perf"], "Performance"],
  [["revert"], "Reverts"],
];

type Entry = { readonly commit: Commit; readonly read: ReadCommit };

/** The commits grouped for a reader: breaking changes first, then features, fixes, and the rest. Empty sections are left out. */
export function changeLog(commits: readonly Commit[]): ChangeLogSection[] {
  const entries = commits.map((commit): Entry => ({ commit, read: readCommit(commit) }));
  const section = (title: string, belongs: (entry: Entry) => boolean): ChangeLogSection => ({
    title,
    lines: entries.filter(belongs).map(lineOf),
  });
  const named = new Set(titles.flatMap(([types]) => types));
  return [
    section("Breaking changes", (entry) => entry.read.change === "major"),
    ...titles.map(([types, title]) =>
      section(
        title,
        (entry) => entry.read.change !== "major" && entry.read.type !== null && types.includes(entry.read.type),
      ),
    ),
    section(
      "Other changes",
      (entry) => entry.read.change !== "major" && !(entry.read.type !== null && named.has(entry.read.type)),
    ),
  ].filter((each) => each.lines.length > 0);
}

function lineOf({ commit, read }: Entry): string {
  return `${read.scope === null ? "" : `${read.scope}: `}${read.text} (${commit.hash.slice(0, 7)})`;
}
