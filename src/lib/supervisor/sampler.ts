import { allPids, isDead, pageSize, readStat, ticksPerSecond } from "./procfs.ts";

export type Usage = { readonly cpu: number | null; readonly memoryBytes: number };

const sampleMs = 1_000;
/** One look at every process of a busy machine takes milliseconds: never more than half a percent of a core. */
const pauseToCost = 200;

/**
 * CPU and memory of process groups, about once a second. Memory is the sum of the members' resident sets, so what they share
 * is counted for each.
 */
export class Sampler {
  readonly #groups: () => readonly number[];
  readonly #sampled: (group: number, usage: Usage) => void;
  #ticks = new Map<string, number>();
  #at: number | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(groups: () => readonly number[], sampled: (group: number, usage: Usage) => void) {
    this.#groups = groups;
    this.#sampled = sampled;
  }

  start(): void {
    const before = process.cpuUsage();
    this.#sample(performance.now());
    // CPU, not time: on a machine that keeps us waiting for a core, a limit of memory must go on being looked at.
    const { user, system } = process.cpuUsage(before);
    const costMs = (user + system) / 1000;
    this.#timer = setTimeout(() => this.start(), Math.max(sampleMs, costMs * pauseToCost));
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #sample(now: number): void {
    const sums = new Map(this.#groups().map((group) => [group, { ticks: 0, pages: 0, seenBefore: false }]));
    if (sums.size === 0) {
      this.#at = null;
      return;
    }
    const before = this.#ticks;
    this.#ticks = new Map();
    for (const pid of allPids()) {
      const stat = readStat(pid);
      const sum = stat === null || isDead(stat) ? undefined : sums.get(stat.group);
      if (stat === null || sum === undefined) continue;
      const key = `${pid}/${stat.startTicks}`;
      const earlier = before.get(key);
      sum.ticks += stat.cpuTicks - (earlier ?? 0);
      sum.seenBefore ||= earlier !== undefined;
      sum.pages += stat.residentPages;
      this.#ticks.set(key, stat.cpuTicks);
    }
    const elapsedS = this.#at === null ? null : (now - this.#at) / 1000;
    this.#at = now;
    for (const [group, { ticks, pages, seenBefore }] of sums) {
      if (pages === 0) continue;
      const cpu = elapsedS === null || !seenBefore ? null : ticks / ticksPerSecond / elapsedS;
      this.#sampled(group, { cpu, memoryBytes: pages * pageSize() });
    }
  }
}
