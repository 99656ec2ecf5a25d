/** Where one instance of a revision is. */
export type Placed = { readonly index: number; readonly host: string };

/**
 * Hosts for the instances 0 to `wanted` - 1. Who is somewhere stays; each new one goes where the revision has the fewest. `first` is where
 * a volume of the service is, or null: all go there, because data do not move. Between equals the order begins at a host that
 * depends on `key`, so that services of one instance do not all share the first host. Pure.
 */
export function place(
  wanted: number,
  {
    hosts,
    present,
    first,
    key,
  }: {
    readonly hosts: readonly string[];
    readonly present: readonly Placed[];
    readonly first: string | null;
    readonly key: string;
  },
): readonly Placed[] {
  const turn = hosts.length === 0 ? 0 : sumOf(key) % hosts.length;
  const order = [...hosts.slice(turn), ...hosts.slice(0, turn)];
  const counts = new Map(order.map((host) => [host, 0]));
  const placed: Placed[] = [];
  const add = (each: Placed): void => {
    placed.push(each);
    counts.set(each.host, (counts.get(each.host) ?? 0) + 1);
  };
  for (const each of present) if (each.index < wanted && !placed.some(({ index }) => index === each.index)) add(each);
  for (let index = 0; index < wanted; index++) {
    if (placed.some((each) => each.index === index)) continue;
    const least = order.reduce<string | null>(
      (best, host) => (best === null || (counts.get(host) ?? 0) < (counts.get(best) ?? 0) ? host : best),
      null,
    );
    const host = first ?? least;
    if (host === null) throw new Error("there is no host to place an instance on");
    add({ index, host });
  }
  return placed.sort((one, other) => one.index - other.index);
}

function sumOf(key: string): number {
  let sum = 0;
  for (const char of key) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) % 1_000_003;
  return sum;
}
