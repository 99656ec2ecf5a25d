import { inThreads } from "../threads.ts";
import { clopperPearson } from "./interval.ts";
import { fiveFailedMinutes, type Rule, type Second, tenPercentForFiveMinutes } from "./rules.ts";
import { type Cell, type Judged, type Mode, type Sample, watchedMs } from "./sample.ts";
import { levels, type Scenario, scenarios } from "./scenarios.ts";

export type TableOptions = { readonly deployments: number; readonly seed: number; readonly workers: number };

const judges = [
  { name: "ours", of: ({ ours }: Sample): Judged => ours },
  { name: "10 % for 5 min", of: ({ unwatched }: Sample): Judged => judgedBy(tenPercentForFiveMinutes, unwatched) },
  { name: "5 failed minutes", of: ({ unwatched }: Sample): Judged => judgedBy(fiveFailedMinutes, unwatched) },
] as const;

type Row = {
  readonly mode: Mode;
  readonly scenario: Scenario;
  readonly level: string;
  readonly verdicts: readonly (readonly Judged[])[];
};

/** A canary with a request every five seconds has one in a hundred: it waits, and asks. */
const levelsOf: Readonly<Record<Mode, readonly number[]>> = { "at once": [0, 1, 2], canary: [1, 2] };

/** Every way to degrade at every level of traffic, so often; who catches it, after how many failing answers, and who cries wolf. */
export async function detectionTable({ deployments, seed, workers }: TableOptions): Promise<string> {
  const rows = await sampled({ deployments, seed, workers });
  const head = `detection: ${deployments} deployments a row, each watched for ${watchedMs / 60_000} min`;
  return [head, "", ...(["at once", "canary"] as const).flatMap((mode) => part(rows, mode))].join("\n");
}

function part(all: readonly Row[], mode: Mode): string[] {
  const rows = all.filter((row) => row.mode === mode);
  const bad = rows.filter(({ scenario }) => scenario.bad);
  const good = rows.filter(({ scenario }) => !scenario.bad);
  const line = (name: string, level: string, texts: readonly string[]): string =>
    [name.padEnd(22), level.padEnd(6), ...texts.map((text) => text.padStart(width))].join("");
  const texts = (row: Row, of: (all: readonly Judged[]) => string): string =>
    line(row.scenario.name, row.level, row.verdicts.map(of));
  const ofAll = judges.map((_, index) => good.flatMap(({ verdicts }) => verdicts[index] ?? []));
  const medians = judges.map(({ name }, index) => `${name} ${medianFailed(bad, index)}`);
  return [
    mode === "canary" ? "as a canary that begins at 5 %" : "all traffic at once (blue-green)",
    line(
      "",
      "",
      judges.map(({ name }) => name),
    ),
    "  bad versions: caught, median of failing answers to users, median time to detect",
    ...bad.map((row) => texts(row, caughtText)),
    `  median of failing answers over all of them: ${medians.join(", ")}`,
    "  good versions that were taken back, with the 95 % interval of Clopper and Pearson; doubted: it was said that nobody can tell",
    ...good.map((row) => texts(row, falseText)),
    line("all of them", "", ofAll.map(falseText)),
    "",
  ];
}

/** Of a column. */
const width = 37;

async function sampled({ deployments, seed, workers }: TableOptions): Promise<Row[]> {
  const cells = (["at once", "canary"] as const).flatMap((mode) =>
    scenarios.flatMap((_, scenario) => levelsOf[mode].map((level): Cell => ({ mode, scenario, level }))),
  );
  const samples = new Map<string, Sample[]>(cells.map((cell) => [JSON.stringify(cell), []]));
  const tasks = cells.flatMap((cell) =>
    Array.from({ length: deployments }, (_, index) => ({ is: "sample", cell, seed: seed + index }) as const),
  );
  let at = 0;
  await inThreads(
    workers,
    () => tasks[at++] ?? null,
    ({ cell }, sample) => void samples.get(JSON.stringify(cell))?.push(sample),
  );
  return cells.flatMap((cell): Row[] => {
    const [scenario, level] = [scenarios[cell.scenario], levels[cell.level]];
    if (scenario === undefined || level === undefined) return [];
    const all = samples.get(JSON.stringify(cell)) ?? [];
    return [
      {
        mode: cell.mode,
        scenario,
        level: level.name,
        verdicts: judges.map((judge) => all.map((sample) => judge.of(sample))),
      },
    ];
  });
}

function judgedBy(rule: Rule, seconds: readonly Second[]): Judged {
  const at = rule(seconds);
  const failed = seconds.slice(0, at ?? seconds.length).reduce((sum, each) => sum + each.failed, 0);
  return { caught: at !== null, doubted: false, failed, detectMs: at === null ? null : at * 1_000 };
}

function caughtText(all: readonly Judged[]): string {
  const caught = all.filter((each) => each.caught);
  const share = `${Math.round((caught.length / Math.max(1, all.length)) * 100)} %`;
  const failed = median(all.map((each) => each.failed));
  const detect = median(caught.flatMap(({ detectMs }) => (detectMs === null ? [] : [detectMs])));
  return `${share} ${failed ?? "-"} ${detect === null ? "-" : `${(detect / 1_000).toFixed(1)} s`}`;
}

function falseText(all: readonly Judged[]): string {
  const caught = all.filter((each) => each.caught).length;
  const [low, high] = clopperPearson(caught, Math.max(1, all.length)).map((share) => (share * 100).toFixed(1));
  const doubted = all.filter((each) => each.doubted).length;
  return `${caught} of ${all.length} (${low}-${high} %)${doubted === 0 ? "" : `, ${doubted} doubted`}`;
}

function medianFailed(rows: readonly Row[], judge: number): number {
  return median(rows.flatMap(({ verdicts }) => (verdicts[judge] ?? []).map(({ failed }) => failed))) ?? 0;
}

function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? null;
}
