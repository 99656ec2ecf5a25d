import { spawn } from "node:child_process";

/** Between two looks; more where a look takes long. */
const lookMs = 2_000;
/** A look may take this share of the time. */
const share = 0.05;

/** How much the directories hold in which steps run: looked at while anybody asks, once for all who ask. */
export class DiskWatch {
  readonly #watched = new Map<string, { bytes: number; users: number; readonly stop: AbortController }>();

  /** Bytes that the directory held at the last look. */
  bytes(directory: string): number {
    return this.#watched.get(directory)?.bytes ?? 0;
  }

  watch(directory: string): () => void {
    const known = this.#watched.get(directory);
    const one = known ?? { bytes: 0, users: 0, stop: new AbortController() };
    one.users += 1;
    if (known === undefined) {
      this.#watched.set(directory, one);
      void this.#look(directory, one);
    }
    return () => {
      one.users -= 1;
      if (one.users > 0) return;
      one.stop.abort();
      if (this.#watched.get(directory) === one) this.#watched.delete(directory);
    };
  }

  async #look(directory: string, one: { bytes: number; readonly stop: AbortController }): Promise<void> {
    const { signal } = one.stop;
    let restMs = lookMs;
    while (!signal.aborted) {
      await pause(restMs, signal);
      if (signal.aborted) return;
      const begun = performance.now();
      one.bytes = (await sizeOf(directory)) ?? one.bytes;
      restMs = Math.max(lookMs, (performance.now() - begun) / share);
    }
  }
}

/** By du: it counts what is linked several times once, and does not follow links. Null: it could not be said. */
function sizeOf(directory: string): Promise<number | null> {
  return new Promise((resolve) => {
    const child = spawn("nice", ["-n", "19", "du", "-skx", directory], { stdio: ["ignore", "pipe", "ignore"] });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    child.once("error", () => resolve(null));
    child.once("close", () => {
      const kilobytes = Number(/^\d+/.exec(text)?.[0]);
      resolve(Number.isFinite(kilobytes) ? kilobytes * 1024 : null);
    });
  });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
