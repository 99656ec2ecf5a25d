/** Several streams that may become more while they are read. */
export type Sources<Source, Item> = {
  /** Those there are now. */
  readonly known: () => Promise<readonly Source[]>;
  /** Calls back when there may be another one; returns the way to end that. */
  readonly more: (tell: () => void) => () => void;
  readonly streams: (source: Source) => AsyncIterable<Item>;
  /** Goes on when all streams have ended: there may be more. */
  readonly endless: boolean;
};

/** Items waiting for the reader; a stream that is further ahead waits. */
const maxWaiting = 64;

/** The items of all streams in the order in which they arrive. Ends when all have ended or the signal is aborted; fails with the first that fails. */
export async function* merged<Source, Item>(
  { known, more, streams, endless }: Sources<Source, Item>,
  signal: AbortSignal,
): AsyncGenerator<{ readonly source: Source; readonly item: Item }> {
  const items: { source: Source; item: Item }[] = [];
  const open = new Set<Source>();
  const begun = new Set<Source>();
  let failure: { readonly error: unknown } | null = null;
  let looking = true;
  let wakeReader = (): void => {};
  let wakeStreams: (() => void)[] = [];
  const read = async (source: Source): Promise<void> => {
    try {
      for await (const item of streams(source)) {
        items.push({ source, item });
        wakeReader();
        while (items.length >= maxWaiting && !signal.aborted)
          await new Promise<void>((resolve) => void wakeStreams.push(resolve));
        if (signal.aborted) return;
      }
    } catch (error) {
      failure ??= { error };
    } finally {
      open.delete(source);
      wakeReader();
    }
  };
  const look = async (): Promise<void> => {
    looking = true;
    try {
      for (const source of await known()) {
        if (begun.has(source)) continue;
        begun.add(source);
        open.add(source);
        void read(source);
      }
    } catch (error) {
      failure ??= { error };
    } finally {
      looking = false;
      wakeReader();
    }
  };
  const end = more(() => void look());
  const abort = (): void => wakeReader();
  signal.addEventListener("abort", abort, { once: true });
  void look();
  try {
    for (;;) {
      const next = items.shift();
      if (next !== undefined) {
        for (const wake of wakeStreams.splice(0)) wake();
        yield next;
        continue;
      }
      if (signal.aborted) return;
      if (failure !== null) throw (failure as { readonly error: unknown }).error;
      if (open.size === 0 && !looking && !endless) return;
      await new Promise<void>((resolve) => {
        wakeReader = resolve;
      });
    }
  } finally {
    end();
    signal.removeEventListener("abort", abort);
    for (const wake of wakeStreams.splice(0)) wake();
    wakeStreams = [];
  }
}
