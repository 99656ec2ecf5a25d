/** The one of `known` that a person most likely meant by `seen`, or null when none is near. */
export function nearest(seen: string, known: Iterable<string>): string | null {
  const wanted = seen.toLowerCase();
  // A third of the letters may be wrong: `regoin` finds `region`, `x` finds nothing. Long pastes are not names.
  const limit = seen.length > 60 ? 0 : Math.max(1, Math.floor(seen.length / 3));
  let best: { name: string; distance: number } | null = null;
  for (const name of known) {
    const distance = editDistance(wanted, name.toLowerCase());
    if (distance > limit || distance >= Math.max(wanted.length, name.length)) continue;
    if (best === null || distance < best.distance) best = { name, distance };
  }
  return best === null ? null : best.name;
}

const fewNames = 12;

/** `there is no service "wbe"; did you mean "web"?`, or which there are where none is near. */
export function noSuch(what: string, seen: string, known: readonly string[]): string {
  const guess = nearest(seen, known);
  if (guess !== null) return `there is no ${what} ${JSON.stringify(seen)}; did you mean ${JSON.stringify(guess)}?`;
  if (known.length === 0) return `there is no ${what} ${JSON.stringify(seen)}, nor any other`;
  const more = known.length > fewNames ? ` and ${known.length - fewNames} more` : "";
  const there = known.length === 1 ? `the only ${what} is` : `the ${what}s are`;
  return `there is no ${what} ${JSON.stringify(seen)}; ${there} ${known.slice(0, fewNames).join(", ")}${more}`;
}

/** Letters to insert, remove, change, or swap with their neighbour (Damerau-Levenshtein, optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const here = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(above[column]! + 1, here[column - 1]! + 1, above[column - 1]! + (same ? 0 : 1));
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) cost = Math.min(cost, before[column - 2]! + 1);
      here.push(cost);
    }
    before = above;
    above = here;
  }
  return above[b.length]!;
}
