import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { type SshChild, sshChild } from "./child.ts";
import { fingerprintIn, meaningOf, SshError, tellingLine } from "./errors.ts";
import { type SshOptions, socketName, sshArguments } from "./options.ts";
import { takesConnections, untilSilent } from "./silence.ts";

/** Key exchange and login come after the connection, so this is beside ssh's own ConnectTimeout. */
const loginTimeoutMs = 15_000;
const defaultConnectTimeoutMs = 10_000;

/**
 * The one connection to a host that everything else goes through (ControlMaster). It lives as long as its pipe to us: its session
 * reads our pipe, so when this process is killed, the connection ends as well and nothing is left behind. What we write there comes
 * back, so a connection that has died without a word is noticed and ended, and with it all that waits in it.
 */
export class Master {
  readonly socket: string;
  readonly #child: SshChild;
  readonly #options: SshOptions;
  readonly #over = new AbortController();
  #lost = false;
  #isSilent = false;

  private constructor(options: SshOptions, socket: string, child: SshChild) {
    this.socket = socket;
    this.#options = options;
    this.#child = child;
    void child.ended.then(() => {
      this.#lost = true;
      this.#over.abort();
    });
  }

  /** Connects. Errors: SshError. */
  static async open(options: SshOptions, directory: string, signal: AbortSignal): Promise<Master> {
    signal.throwIfAborted();
    const socket = join(directory, socketName("m", options.destination));
    const ready = `slipway-${randomBytes(6).toString("hex")}`;
    const child = sshChild(options.program ?? "ssh", [
      ...sshArguments(options),
      // A forward of the person's config would be in the way of every later connection.
      ...["-o", "ClearAllForwardings=yes", "-o", "ControlMaster=yes", "-S", socket],
      "--",
      options.destination,
      `echo ${ready} && exec cat`,
    ]);
    const master = new Master(options, socket, child);
    try {
      await master.#until(ready, signal);
      void master.#listen();
      return master;
    } catch (error) {
      child.stop();
      await child.ended;
      throw error;
    }
  }

  get isLost(): boolean {
    return this.#lost || this.#child.process.exitCode !== null || this.#child.process.signalCode !== null;
  }

  /** Given up because nobody answers any more, on this connection and on a new one. */
  get isSilent(): boolean {
    return this.#isSilent;
  }

  /** Resolves when the connection has ended. */
  get ended(): Promise<unknown> {
    return this.#child.ended;
  }

  stderr(): string {
    return this.#child.stderr();
  }

  async close(): Promise<void> {
    this.#over.abort();
    this.#child.process.stdin.end();
    this.#child.stop();
    await this.#child.ended;
  }

  async #listen(): Promise<void> {
    const { stdin, stdout } = this.#child.process;
    let answers = 0;
    stdout.on("data", () => {
      answers += 1;
    });
    const listening = {
      ask: () => void stdin.write("\n"),
      answers: () => answers,
      isReachable: () => takesConnections(this.#options),
    };
    try {
      await untilSilent(listening, this.#over.signal);
    } catch {
      // It has ended in another way.
      return;
    }
    this.#isSilent = true;
    this.#child.stop();
  }

  /** Whatever the login scripts of the host print before it. */
  async #until(ready: string, signal: AbortSignal): Promise<void> {
    const limitMs = (this.#options.connectTimeoutMs ?? defaultConnectTimeoutMs) + loginTimeoutMs;
    const stop = AbortSignal.any([signal, AbortSignal.timeout(limitMs)]);
    const { stdout } = this.#child.process;
    const said = new Promise<"ready">((resolve) => {
      let text = "";
      const read = (chunk: Buffer): void => {
        text = (text + chunk.toString("latin1")).slice(-65_536);
        if (!text.includes(ready)) return;
        stdout.off("data", read);
        resolve("ready");
      };
      stdout.on("data", read);
    });
    const aborted = new Promise<"aborted">((resolve) =>
      stop.addEventListener("abort", () => resolve("aborted"), { once: true }),
    );
    const first = await Promise.race([said, aborted, this.#child.ended]);
    if (first === "ready") return;
    signal.throwIfAborted();
    const { destination } = this.#options;
    if (first === "aborted") {
      throw new SshError("AWAY", `${destination} did not let us in within ${limitMs} ms`, {
        destination,
        stderr: this.stderr(),
      });
    }
    throw await whyNot(this.#options, first.failure, this.stderr());
  }
}

async function whyNot(options: SshOptions, failure: Error | null, stderr: string): Promise<SshError> {
  const { destination } = options;
  if (failure !== null) {
    return new SshError("FAILED", `ssh could not be started: ${failure.message}`, { destination });
  }
  const code = meaningOf(stderr);
  const isKey = code === "HOST_KEY_UNKNOWN" || code === "HOST_KEY_CHANGED";
  const fingerprint = isKey ? (fingerprintIn(stderr) ?? (await shownFingerprint(options))) : null;
  return new SshError(code, `${destination}: ${tellingLine(stderr)}`, { destination, stderr, fingerprint });
}

/** ssh does not say the fingerprint of an unknown key unless it is asked to be loud. */
async function shownFingerprint(options: SshOptions): Promise<string | null> {
  const loud = sshChild(options.program ?? "ssh", [
    "-v",
    ...sshArguments(options),
    ...["-o", "ControlMaster=no", "-S", "none", "--"],
    options.destination,
    "exit",
  ]);
  loud.process.stdin.end();
  const limit = setTimeout(loud.stop, loginTimeoutMs);
  await loud.ended;
  clearTimeout(limit);
  return fingerprintIn(loud.stderr());
}
