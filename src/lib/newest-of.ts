/**
 * Lines of JSON where only the newest counts: read as fast as they come, and the newest whole one handed out whenever it is asked
 * for. Ends with the stream or the signal, and destroys the stream then.
 */
export async function* newestOf<T>(
  stream: NodeJS.ReadableStream & { destroy(): unknown },
  signal: AbortSignal,
): AsyncGenerator<T> {
  let rest = "";
  let newest: string | null = null;
  let ended = false;
  let wake: () => void = () => undefined;
  stream.setEncoding("utf8");
  stream.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    newest = lines.at(-1) ?? newest;
    wake();
  });
  const end = (): void => {
    ended = true;
    wake();
  };
  stream.on("end", end).on("close", end).on("error", end);
  signal.addEventListener("abort", end);
  try {
    while (!signal.aborted) {
      const line = newest as string | null;
      if (line !== null) {
        newest = null;
        yield JSON.parse(line) as T;
      } else if (ended) return;
      else
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  } finally {
    signal.removeEventListener("abort", end);
    stream.destroy();
  }
}
