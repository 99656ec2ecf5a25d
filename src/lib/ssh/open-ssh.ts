import { rm } from "node:fs/promises";
import { Duplex, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { StringDecoder } from "node:string_decoder";
import { setTimeout as sleep } from "node:timers/promises";
import { linkedSignal } from "../linked-signal.ts";
import { unlessAborted } from "../unless-aborted.ts";
import { type SshChild, sshChild } from "./child.ts";
import { meaningOf, SshError, tellingLine } from "./errors.ts";
import { Forward, type Remote } from "./forward.ts";
import { Master } from "./master.ts";
import { checkDestination, privateDirectory, type SshOptions, sshArguments } from "./options.ts";
import { remoteCommand } from "./quote.ts";

export type RunOptions = {
  readonly signal: AbortSignal;
  readonly stdin?: string | Buffer | Readable;
  /** Of stdout and stderr each; more is an error. Default 1 MiB. */
  readonly maxBytes?: number;
  /** Default: none; the signal is the limit. */
  readonly timeoutMs?: number;
  /** Each line of both outputs as it comes, cut at 8,192 characters. */
  readonly onLine?: (line: string, stream: "stdout" | "stderr") => void;
};

export type RunResult = { readonly code: number; readonly stdout: string; readonly stderr: string };

const defaultMaxBytes = 1_048_576;
const maxLineChars = 8_192;
/** ssh's own failures end with this code (ssh(1)); a remote command may end with it too. */
const sshFailed = 255;
/** For a host that did not answer the last time; who answers does so in less. */
const doubtfulMs = 2_000;
/** Between two tries at a host that could not be had: each pause is twice the one before. A try is a program that is started. */
const firstPauseMs = 250;
const longestPauseMs = 8_000;

/**
 * A host over the system's OpenSSH: `~/.ssh/config`, agents, jump hosts and known_hosts work as they do by hand. Host keys are
 * checked, never accepted silently, and nothing is ever asked. One connection carries everything; it is made at the first call and
 * again by the first call after it was lost. While a host is known to be away, a call waits two seconds for it and not the whole
 * time that a connection may take: nobody else is held up by it. It is tried ever more rarely then, at last every eight seconds, however
 * many calls there are, and at once when `haste` is made: a call then waits for a whole try that began after that. Errors: SshError.
 */
export function openSsh(options: SshOptions): Ssh {
  return new Ssh(options);
}

export class Ssh {
  readonly destination: string;
  readonly #options: SshOptions;
  readonly #directory: string;
  readonly #forwards = new Map<string, Forward>();
  readonly #closing = new AbortController();
  #master: Master | null = null;
  #connecting: Promise<Master> | null = null;
  /** Why it could not be had the last time; null when it could. */
  #away: SshError | null = null;
  #pauseMs = 0;
  #tryAgainAtMs = 0;
  #pause = new AbortController();
  /** How often haste was made while it was away. */
  #hastes = 0;
  /** Somebody waits for the try that is next, or under way. */
  #isAwaited = false;
  readonly #endHaste: () => void;

  constructor(options: SshOptions) {
    checkDestination(options.destination);
    this.#options = options;
    this.#directory = privateDirectory(options.controlDirectory);
    this.destination = options.destination;
    this.#endHaste = options.haste?.onMade(() => this.#hurry()) ?? (() => {});
  }

  /** Connects, when it is not connected. */
  async connect(signal: AbortSignal): Promise<void> {
    await this.#connected(signal);
  }

  /**
   * Runs a command to its end; any exit code is a result. When the signal is aborted, our side ends at once and the command loses
   * its outputs; sshd does not kill it. Not repeated after a drop: the caller knows whether that is safe.
   */
  async run(argv: readonly string[], options: RunOptions): Promise<RunResult> {
    const command = remoteCommand(argv);
    const master = await this.#connected(options.signal);
    const child = this.#session(master, command);
    const limit = options.timeoutMs === undefined ? [] : [AbortSignal.timeout(options.timeoutMs)];
    const stop = AbortSignal.any([options.signal, this.#closing.signal, ...limit]);
    stop.addEventListener("abort", child.stop, { once: true });
    if (stop.aborted) child.stop();
    const maxBytes = options.maxBytes ?? defaultMaxBytes;
    const outputs = {
      stdout: new Output(child.process.stdout, maxBytes, child.stop, (line) => options.onLine?.(line, "stdout")),
      stderr: new Output(child.process.stderr, maxBytes, child.stop, (line) => options.onLine?.(line, "stderr")),
    };
    feed(child, options.stdin);
    const { code, failure } = await child.ended;
    stop.removeEventListener("abort", child.stop);
    options.signal.throwIfAborted();
    const { destination } = this;
    const stderr = child.stderr();
    if (failure !== null) throw new SshError("FAILED", `ssh could not be started: ${failure.message}`, { destination });
    if (outputs.stdout.isFull || outputs.stderr.isFull) {
      throw new SshError("FAILED", `${argv[0]} on ${destination} wrote more than ${maxBytes} bytes`, { destination });
    }
    if (stop.aborted) {
      throw new SshError("TIMED_OUT", `${argv[0]} on ${destination} was not done in time`, { destination, stderr });
    }
    if (
      code === null ||
      (code === sshFailed && (isOwnFailure(stderr) || !(await this.#isThere(master, options.signal))))
    ) {
      throw new SshError(code === null ? "AWAY" : orAway(stderr), `${destination}: ${tellingLine(stderr)}`, {
        destination,
        stderr,
      });
    }
    return { code, stdout: outputs.stdout.text, stderr: outputs.stderr.text };
  }

  /** A command's stdin and stdout as one stream of bytes; destroying it ends our side. Its stderr comes with an error. */
  async stream(argv: readonly string[], signal: AbortSignal): Promise<Duplex> {
    const command = remoteCommand(argv);
    const child = this.#session(await this.#connected(signal), command);
    const { stdin, stdout } = child.process;
    const duplex = Duplex.from({ writable: stdin, readable: stdout });
    duplex.on("close", child.stop);
    void child.ended.then(({ code, failure }) => {
      if (code === 0 || duplex.destroyed) return;
      const stderr = child.stderr();
      const reason = failure?.message ?? tellingLine(stderr);
      const message = `${argv[0]} on ${this.destination} ended with ${code}: ${reason}`;
      duplex.destroy(new SshError(meaningOf(stderr), message, { destination: this.destination, stderr }));
    });
    return duplex;
  }

  /**
   * The near end of a way to a socket or a port as the host sees it. Goes on over reconnects; asking again for the same gives the
   * same. A host that does not allow it is only noticed when something connects.
   */
  async forward(remote: Remote, signal: AbortSignal): Promise<Forward> {
    const key = keyOf(remote);
    let forward = this.#forwards.get(key);
    if (forward === undefined) {
      forward = new Forward(remote, {
        directory: this.#directory,
        master: (until) => this.#connected(until),
        ask: (master, words, until) => this.#ask(master, words, until),
        destination: this.destination,
        forget: () => this.#forwards.delete(key),
      });
      this.#forwards.set(key, forward);
    }
    await forward.established(signal);
    return forward;
  }

  /** For a way that nobody will ask for again: it would be kept as long as the connection. Does nothing when there is none. */
  async endForward(remote: Remote): Promise<void> {
    await this.#forwards.get(keyOf(remote))?.close();
  }

  /** Writes a file on the host, whole or not at all, with this mode (octal digits). Its directory must exist. */
  async upload(content: string | Buffer | Readable, path: string, mode: string, signal: AbortSignal): Promise<void> {
    if (!/^[0-7]{3,4}$/.test(mode)) throw new TypeError(`${mode} is no file mode`);
    const script =
      'umask 077 && t="$1.$$.tmp" && { cat > "$t" && chmod "$2" "$t" && mv -f "$t" "$1" || { rm -f "$t"; exit 1; }; }';
    const done = await this.run(["sh", "-c", script, "sh", path, mode], { stdin: content, signal });
    if (done.code !== 0) {
      const { destination } = this;
      const message = `${path} could not be written on ${destination}: ${tellingLine(done.stderr)}`;
      throw new SshError("FAILED", message, { destination, stderr: done.stderr });
    }
  }

  /** Ends the connection and everything in it. */
  async close(): Promise<void> {
    this.#endHaste();
    this.#closing.abort(new SshError("FAILED", "the connection was closed", { destination: this.destination }));
    for (const forward of [...this.#forwards.values()]) await forward.close();
    await this.#connecting?.catch(() => {});
    await this.#master?.close();
    this.#master = null;
    if (this.#directory !== this.#options.controlDirectory) await rm(this.#directory, { recursive: true, force: true });
  }

  /** Calls at the same time share one attempt, which goes on when nobody waits for it any more, to its own limit. */
  async #connected(signal: AbortSignal): Promise<Master> {
    signal.throwIfAborted();
    this.#closing.signal.throwIfAborted();
    if (this.#master !== null && !this.#master.isLost) return this.#master;
    if (this.#master?.isSilent === true) this.#away ??= silent(this.destination);
    this.#connecting ??= this.#open().finally(() => {
      this.#connecting = null;
    });
    const connected = unlessAborted(this.#connecting, signal);
    return this.#away === null || this.#isAwaited ? connected : orSoon(connected, this.#away);
  }

  /** One try, and another when haste was made while it was under way: that one may have begun too early. */
  async #open(): Promise<Master> {
    try {
      for (;;) {
        await this.#pauseOver();
        const hastes = this.#hastes;
        try {
          return await this.#try();
        } catch (error) {
          if (hastes === this.#hastes || this.#closing.signal.aborted) throw error;
        }
      }
    } finally {
      this.#isAwaited = false;
    }
  }

  async #pauseOver(): Promise<void> {
    const pauseMs = this.#tryAgainAtMs - performance.now();
    if (pauseMs <= 0) return;
    this.#pause = new AbortController();
    const { signal, release } = linkedSignal([this.#pause.signal, this.#closing.signal]);
    await sleep(pauseMs, null, { signal, ref: false }).catch(() => {});
    release();
  }

  async #try(): Promise<Master> {
    try {
      this.#closing.signal.throwIfAborted();
      this.#master = await Master.open(this.#options, this.#directory, this.#closing.signal);
      this.#away = null;
      this.#pauseMs = 0;
      return this.#master;
    } catch (error) {
      this.#away = error instanceof SshError ? error : null;
      this.#pauseMs = Math.min(longestPauseMs, Math.max(firstPauseMs, 2 * this.#pauseMs));
      this.#tryAgainAtMs = performance.now() + this.#pauseMs;
      throw error;
    }
  }

  #hurry(): void {
    if (this.#away === null) return;
    this.#hastes += 1;
    this.#isAwaited = true;
    this.#pauseMs = 0;
    this.#tryAgainAtMs = 0;
    this.#pause.abort();
  }

  #session(master: Master, command: string): SshChild {
    return sshChild(this.#options.program ?? "ssh", [
      ...sshArguments(this.#options),
      ...["-o", "ControlMaster=no", "-S", master.socket, "--"],
      this.destination,
      command,
    ]);
  }

  /** A connection that is lost ends what goes through it, without a word, before it has ended itself. */
  async #isThere(master: Master, signal: AbortSignal): Promise<boolean> {
    if (master.isLost) return false;
    const stop = AbortSignal.any([signal, this.#closing.signal, AbortSignal.timeout(doubtfulMs)]);
    const answered = await this.#ask(master, ["-O", "check"], stop).then(
      () => true,
      () => false,
    );
    signal.throwIfAborted();
    return answered && !master.isLost;
  }

  /** A question to the master itself: `-O forward`, `-O check`. */
  async #ask(master: Master, words: readonly string[], signal: AbortSignal): Promise<void> {
    const args = [...sshArguments(this.#options), "-S", master.socket, ...words, "--", this.destination];
    const child = sshChild(this.#options.program ?? "ssh", args);
    child.process.stdin.end();
    child.process.stdout.resume();
    signal.addEventListener("abort", child.stop, { once: true });
    const { code } = await child.ended;
    signal.removeEventListener("abort", child.stop);
    signal.throwIfAborted();
    if (code === 0) return;
    const { destination } = this;
    const stderr = child.stderr();
    const kind = master.isLost ? "AWAY" : orAway(stderr);
    throw new SshError(kind, `${destination}: ${tellingLine(stderr)}`, { destination, stderr });
  }
}

const keyOf = (remote: Remote): string => ("socket" in remote ? remote.socket : `${remote.host}:${remote.port}`);

/** Bytes of one output up to a limit, and its lines. */
class Output {
  isFull = false;
  #bytes = 0;
  readonly #chunks: Buffer[] = [];

  constructor(stream: Readable, maxBytes: number, onFull: () => void, onLine: (line: string) => void) {
    let rest = "";
    const decoder = new StringDecoder("utf8");
    // stderr is already read as text by its keeper.
    stream.on("data", (data: Buffer | string) => {
      const chunk = typeof data === "string" ? Buffer.from(data) : data;
      this.#bytes += chunk.length;
      if (this.#bytes > maxBytes) {
        this.isFull = true;
        onFull();
        return;
      }
      this.#chunks.push(chunk);
      const lines = (rest + decoder.write(chunk)).split("\n");
      rest = (lines.pop() ?? "").slice(0, maxLineChars);
      for (const line of lines) onLine(line.slice(0, maxLineChars));
    });
    stream.on("end", () => {
      if (rest !== "") onLine(rest);
    });
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString("utf8");
  }
}

function feed(child: SshChild, stdin: string | Buffer | Readable | undefined): void {
  if (stdin === undefined || typeof stdin === "string" || Buffer.isBuffer(stdin)) {
    child.process.stdin.end(stdin);
    return;
  }
  // A source that fails must not leave a half file that looks whole: the remote command ends without its end of input.
  pipeline(stdin, child.process.stdin).catch(child.stop);
}

/** Said by ssh itself, not by the command: it ends with 255 as well. */
function isOwnFailure(stderr: string): boolean {
  return /^(?:ssh|mux_client|Control socket|Connection |Shared connection|kex_|client_loop)/m.test(stderr);
}

function orAway(stderr: string): SshError["code"] {
  const code = meaningOf(stderr);
  return code === "FAILED" ? "AWAY" : code;
}

function silent(destination: string): SshError {
  const message = `${destination} does not answer any more, neither on the open connection nor on a new one`;
  return new SshError("AWAY", message, { destination });
}

/** What comes within `doubtfulMs`, else the failure. */
async function orSoon<T>(work: Promise<T>, failure: Error): Promise<T> {
  const timer = new AbortController();
  const late = sleep(doubtfulMs, null, { signal: timer.signal, ref: false }).then(
    () => {
      throw failure;
    },
    (): Promise<never> => new Promise(() => {}),
  );
  // Nobody hears of it when it fails later.
  work.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } finally {
    timer.abort();
  }
}
