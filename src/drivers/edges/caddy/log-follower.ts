import { setTimeout as sleep } from "node:timers/promises";
import type { Ssh } from "../../../lib/ssh/open-ssh.ts";
import type { EdgeSample } from "../../../ports/edge.ts";
import { requestsUnderWay } from "./admin.ts";
import { LogCounts } from "./counts.ts";
import type { Place } from "./place.ts";
import type { Witness } from "./witness.ts";

const sampleEveryMs = 200;
const underWayEveryMs = 500;
const againAfterMs = 500;
const begunWithinMs = 10_000;

/** `$1` the log, `$2` and `$3` where the one before stood. Says first where it begins: the file's number, and the byte. */
const followScript = `set -eu; umask 077; cd "\${1%/*}"; log=\${1##*/}; [ -e "$log" ] || : >> "$log"
set -- "$log" "$2" "$3" $(stat -c '%i %s' -- "$log") $(find . -maxdepth 1 -type f -inum "\${2:-0}" -exec stat -c '%n %s' -- {} +)
if [ "$2" = "$4" ] && [ "$3" -le "$5" ]; then from=$(($3 > 0 ? $3 : 0))
elif [ "$2" != "$4" ] && [ $# = 7 ]; then from=$(($3 - $7))
else from=$5; fi
echo "$4 $from"
if [ "$from" -lt 0 ]; then if [ $# = 7 ]; then tail -c "\${from#-}" -- "$6"; fi; from=0; fi
# Where the kernel tells of no changes, as for files of an overlay, GNU's looks each second unless it is told to look more often.
case $(tail --version 2>/dev/null) in *GNU*) often='-s 0.2';; *) often=;; esac
exec tail $often -c "+$((from + 1))" -F -- "$log"`;

/** Byte `at` of a file; below 0, it is so many before the end of the one that was rotated away for it. */
type Stand = { readonly file: string; readonly at: number };

/**
 * Reads the log of a Caddy on another host, by following its file: a file never waits for its reader. The counts live in this
 * process and begin at 0 with it. What is logged while the connection is away is counted when it is back, unless the file was
 * rotated twice since it was followed. Nobody holds requests.
 */
export function logFollower(ssh: Ssh, place: Place): Witness {
  const file = `${place.paths.directory}/counts.log`;
  const counts = new LogCounts();
  let stop: AbortController | null = null;
  let begun: Promise<void> = Promise.resolve();
  let underWay: ReadonlyMap<string | null, number> = new Map();

  async function follow(signal: AbortSignal, onTried: () => void): Promise<void> {
    let stand: Stand | null = null;
    while (!signal.aborted) {
      try {
        const words: readonly string[] = ["sh", "-c", followScript, "sh", file, stand?.file ?? "", `${stand?.at ?? 0}`];
        const stream = await ssh.stream(words, signal);
        const end = () => stream.destroy();
        signal.addEventListener("abort", end, { once: true });
        stream.on("error", () => undefined);
        let isTold = false;
        for await (const line of wholeLines(stream)) {
          if (!isTold) {
            stand = standIn(line.toString("utf8"));
            isTold = true;
            onTried();
            continue;
          }
          counts.line(line.toString("utf8"));
          if (stand !== null) stand = { file: stand.file, at: stand.at + line.length + 1 };
        }
        signal.removeEventListener("abort", end);
      } catch {
        // The host is away, or the connection was lost: whoever gives the next order is told so.
      }
      onTried();
      await sleep(againAfterMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  async function watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      underWay = await place
        .socket(place.paths.adminSocket)
        .then(requestsUnderWay)
        .catch(() => new Map<string | null, number>());
      await sleep(underWayEveryMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  /** Resolves when the log is followed, or could not be: then it is tried again and again. */
  function begin(): Promise<void> {
    if (stop !== null) return begun;
    stop = new AbortController();
    const { signal } = stop;
    begun = new Promise((resolve) => void follow(signal, resolve));
    void watch(signal);
    return begun;
  }

  return {
    hold: null,
    async ready() {
      // What is logged from now on is counted. A host that takes this long has other troubles, and says so at the next step.
      await Promise.race([begin(), sleep(begunWithinMs, undefined, { ref: false })]);
      return { is: "file", file };
    },
    async routed(table) {
      counts.routed(table);
      return new Set();
    },
    async *samples(signal): AsyncGenerator<EdgeSample> {
      void begin();
      while (!signal.aborted) {
        yield counts.sample(Date.now(), underWay);
        await sleep(sampleEveryMs, undefined, { signal }).catch(() => undefined);
      }
    },
    troubles: async () => counts.troubles,
    renew: async () => undefined,
    async stop() {
      stop?.abort();
      stop = null;
    },
  };
}

/** What ends with a line feed; what does not is read again by the next. */
async function* wholeLines(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let from = 0;
    for (let to = rest.indexOf(10); to !== -1; to = rest.indexOf(10, from)) {
      yield rest.subarray(from, to);
      from = to + 1;
    }
    rest = rest.subarray(from);
  }
}

function standIn(line: string): Stand | null {
  const [, file, at] = /^(\d+) (-?\d+)$/.exec(line) ?? [];
  return file === undefined ? null : { file, at: Number(at) };
}
