/**
 * Random numbers that a seed decides: the same seed and label give the same numbers, on every machine. sfc32 of PractRand
 * (C. Doty-Humphrey; https://pracrand.sourceforge.net, 2026-11): 128 bits of state, passes its tests, a few operations a number.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number, label = "") {
    let hash = 0x811c9dc5;
    for (const text of [`${seed}`, label]) {
      for (let index = 0; index < text.length; index += 1)
        hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
      hash = Math.imul(hash ^ 0xff, 0x01000193) >>> 0;
    }
    this.#a = hash;
    this.#b = Math.floor(seed / 2 ** 32) >>> 0;
    this.#c = seed >>> 0;
    for (let round = 0; round < 15; round += 1) this.next();
  }

  /** From 0 up to, but not including, 1. */
  next(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return (sum >>> 0) / 2 ** 32;
  }

  /** 0, 1 … count - 1. */
  below(count: number): number {
    return Math.floor(this.next() * count);
  }

  between(from: number, to: number): number {
    return from + this.next() * (to - from);
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  pick<T>(from: readonly [T, ...T[]]): T {
    return from[this.below(from.length)] ?? from[0];
  }

  /** One of these, each as often as its weight says. */
  weighted<T>(from: readonly (readonly [T, number])[]): T {
    let left = this.next() * from.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [value, weight] of from) {
      left -= weight;
      if (left < 0) return value;
    }
    const last = from.at(-1);
    if (last === undefined) throw new Error("nothing to choose from");
    return last[0];
  }

  exponential(mean: number): number {
    return -Math.log(1 - this.next()) * mean;
  }

  /** Box-Muller; one of the pair is dropped. */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
  }

  /** Exact where the mean is small; above that the normal approximation, rounded. */
  poisson(mean: number): number {
    if (mean <= 0) return 0;
    if (mean > 50) return Math.max(0, Math.round(mean + Math.sqrt(mean) * this.normal()));
    const limit = Math.exp(-mean);
    let count = 0;
    for (let product = this.next(); product > limit; product *= this.next()) count += 1;
    return count;
  }

  /** Exact where few are expected (the gaps between successes are geometric); above that the normal approximation, rounded. */
  binomial(trials: number, share: number): number {
    if (share <= 0 || trials <= 0) return 0;
    if (share >= 1) return trials;
    if (share > 0.5) return trials - this.binomial(trials, 1 - share);
    const mean = trials * share;
    if (mean > 50) {
      const drawn = Math.round(mean + Math.sqrt(mean * (1 - share)) * this.normal());
      return Math.min(trials, Math.max(0, drawn));
    }
    const step = Math.log(1 - share);
    let count = 0;
    for (let at = this.#gap(step); at <= trials; at += this.#gap(step)) count += 1;
    return count;
  }

  #gap(step: number): number {
    return 1 + Math.floor(Math.log(1 - this.next()) / step);
  }
}
