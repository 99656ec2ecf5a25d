/** Numbers from 0 to 1 that are the same in every run with the same seed (mulberry32, T. Ettinger, 2017). */
export function seeded(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function drawn(random: () => number, seen: number, share: number): { seen: number; bad: number } {
  let bad = 0;
  for (let draw = 0; draw < seen; draw += 1) if (random() < share) bad += 1;
  return { seen, bad };
}
