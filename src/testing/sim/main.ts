import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { powerTable } from "./detection/power.ts";
import { detectionTable } from "./detection/table.ts";
import { summaryText } from "./report.ts";
import { run } from "./run.ts";
import { SimDatabase } from "./store.ts";
import { tell } from "./story.ts";

const usage = `Simulated deployments, with the real engine, on a virtual clock.

  npm run sim -- --runs 100000 --seed 1    so many deployments, the promises that they broke, and the table of detection
  npm run sim -- --replay 76               one world again, line by line
  npm run sim -- --table 400               only the table, with so many deployments a cell
  npm run sim -- --power 10000             so many comparisons with no difference, and a tenth of it for each effect

  --losing       only worlds in which whole hosts are lost
  --workers 2    threads; as many as there are processors when it is left out
  --no-table     without the table of detection
`;

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "2000" },
    seed: { type: "string", default: "1" },
    replay: { type: "string" },
    workers: { type: "string", default: String(availableParallelism()) },
    table: { type: "string" },
    power: { type: "string" },
    losing: { type: "boolean", default: false },
    "no-table": { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

/** Deployments in a cell of the table that comes with a run. */
const cell = 100;

if (values.help) process.stdout.write(usage);
else if (values.replay !== undefined) await replay(number(values.replay));
else if (values.power !== undefined) power(number(values.power));
else if (values.table !== undefined) await table(number(values.table));
else {
  await simulate();
  if (!values["no-table"]) await table(cell);
}

async function replay(seed: number): Promise<void> {
  const { trace, broken } = await tell(seed, await SimDatabase.open(), { trace: true });
  process.stdout.write(`${trace.join("\n")}\n`);
  for (const { promise, what, atMs } of broken)
    process.stdout.write(`BROKEN at ${(atMs / 1_000).toFixed(3)} s  ${promise}: ${what}\n`);
  process.exitCode = broken.length === 0 ? 0 : 1;
}

async function simulate(): Promise<void> {
  const runs = number(values.runs);
  const isTerminal = process.stderr.isTTY === true;
  const summary = await run({
    runs,
    seed: number(values.seed),
    workers: number(values.workers),
    losing: values.losing,
    onProgress: (deployments, broken) => {
      if (isTerminal)
        process.stderr.write(`\r${deployments} of ${runs} deployments, ${broken} worlds with a broken promise `);
    },
  });
  if (isTerminal) process.stderr.write("\r\x1b[K");
  process.stdout.write(summaryText(summary));
  if (summary.broken.length > 0) process.exitCode = 1;
}

async function table(deployments: number): Promise<void> {
  process.stdout.write(
    await detectionTable({ deployments, seed: number(values.seed), workers: number(values.workers) }),
  );
}

function power(nulls: number): void {
  const experiments = Math.max(1, Math.round(nulls / 10));
  process.stdout.write(powerTable({ nulls, experiments, seed: number(values.seed) }));
}

function number(text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  process.stderr.write(`${text} is not a whole number\n`);
  process.exit(2);
}
