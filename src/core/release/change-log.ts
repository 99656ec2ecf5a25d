import { type Commit, readCommit } from "./commit.ts";

export type ChangeLogSection = { readonly title: string; readonly lines: readonly string[] };

const titles: readonly (readonly [types: readonly string[], title: string])[] = [
  [["feat"], "Features"],
  [["fix", "hotfix"], "Fixes"],
  [["perf"], "Performance"],
  [["revert"], "Reverts"],
];

/** The commits grouped for a reader: breaking changes first, then features, fixes, and the rest. Empty sections are left out. */
export function changeLog(commits: readonly Commit[]): ChangeLogSection[] {
  const read = commits.map((commit) => ({ commit, read: readCommit(commit) }));
  const line = ({ commit, read }: (typeof read)[number]): string =>
    `${read.scope === null ? "" : `${read.scope}: `}${read.text} (${commit.hash.slice(0, 7)})`;
  const section = (title: string, belongs: (entry: (typeof read)[number]) => boolean): ChangeLogSection => ({
    title,
    lines: read.filter(belongs).map(line),
  });
  const named = new Set(titles.flatMap(([types]) => types));
  return [
    section("Breaking changes", (entry) => entry.read.change === "major"),
    ...titles.map(([types, title]) =>
      section(title, (entry) => entry.read.change !== "major" && entry.read.type !== null && types.includes(entry.read.type)),
    ),
    section("Other changes", (entry) => entry.read.change !== "major" && !(entry.read.type !== null && named.has(entry.read.type))),
  ].filter((each) => each.lines.length > 0);
}
