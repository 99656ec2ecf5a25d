import { drawKind } from "./kind.ts";
import { Random } from "./random.ts";
import type { Tally, Told } from "./story.ts";
import { inThreads } from "./threads.ts";

export type Summary = {
  readonly deployments: number;
  readonly worlds: number;
  readonly tally: Tally;
  /** Worlds in which a promise was broken, by seed. */
  readonly broken: readonly Told[];
  /** Time it took, and time of processors it took. */
  readonly wallMs: number;
  readonly cpuMs: number;
};

export type RunOptions = {
  /** Deployments, at least; whole worlds are told. */
  readonly runs: number;
  /** Seed of the first world; the others follow it. */
  readonly seed: number;
  readonly workers: number;
  /** Only worlds in which whole hosts are lost. */
  readonly losing?: boolean;
  readonly onProgress?: (deployments: number, broken: number) => void;
};

/** More broken worlds than so many say nothing new. */
const maxBroken = 20;

/** Tells worlds until there have been enough deployments, or too many broken promises. */
export async function run({
  runs,
  seed,
  workers,
  losing = false,
  onProgress = () => {},
}: RunOptions): Promise<Summary> {
  const began = performance.now();
  const cpu = process.cpuUsage();
  const tally: Tally = {};
  const broken: Told[] = [];
  let [deployments, worlds, nextSeed] = [0, 0, seed];
  const next = () => {
    if (deployments >= runs || broken.length >= maxBroken) return null;
    while (losing && !drawKind(nextSeed, new Random(nextSeed, "story")).losing) nextSeed += 1;
    return { is: "world", seed: nextSeed++ } as const;
  };
  await inThreads(workers, next, (_, told) => {
    worlds += 1;
    deployments += told.deployments;
    for (const [what, count] of Object.entries(told.tally)) tally[what] = (tally[what] ?? 0) + count;
    if (told.broken.length > 0) broken.push(told);
    onProgress(deployments, broken.length);
  });
  const { user, system } = process.cpuUsage(cpu);
  broken.sort((a, b) => a.seed - b.seed);
  return { deployments, worlds, tally, broken, wallMs: performance.now() - began, cpuMs: (user + system) / 1_000 };
}
