import { connect as connectPlain, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectSecure, type TLSSocket } from "node:tls";

export type TlsWay = {
  /** The name that the certificate must have. */
  readonly servername: string;
  /** False takes any certificate: the line is secret, and who is at its other end is not known. */
  readonly verify: boolean;
  /** PEM of the CA to believe; the system's when left out. */
  readonly ca?: string;
};

export type WireOptions = {
  readonly host: string;
  readonly port: number;
  /** Speaks TLS from the first byte. */
  readonly tls?: TlsWay;
  /** Ends everything: what is being read rejects with its reason. */
  readonly signal: AbortSignal;
  /** More than this is never held. */
  readonly maxBytes?: number;
};

const defaultMaxBytes = 1024 * 1024;

/** A connection that is read by the number of bytes or by line, with a limit to what the other side can make it hold. */
export class Wire {
  readonly #options: WireOptions;
  readonly #maxBytes: number;
  #socket: Socket;
  #held: Buffer = Buffer.alloc(0);
  #failure: Error | null = null;
  #wake: () => void = () => {};

  private constructor(options: WireOptions, socket: Socket) {
    this.#options = options;
    this.#maxBytes = options.maxBytes ?? defaultMaxBytes;
    this.#socket = socket;
  }

  /** Resolves when connected, and where asked for when TLS is agreed on. Rejects with the reason in a person's words. */
  static async open(options: WireOptions): Promise<Wire> {
    options.signal.throwIfAborted();
    const { host, port, tls } = options;
    const wire = new Wire(options, connectPlain({ host, port, noDelay: true }));
    try {
      await wire.#established("connect");
      if (tls !== undefined) await wire.secure(tls);
      else wire.#listen();
      return wire;
    } catch (error) {
      wire.close();
      throw error;
    }
  }

  /** Goes on in TLS from here. Nothing that came before is left to be read: it could have been put there by anybody. */
  async secure({ servername, verify, ca }: TlsWay): Promise<void> {
    if (this.#held.length > 0) throw new Error("it sent something before TLS was agreed on");
    this.#socket.removeAllListeners();
    // An error that comes between the two must not end the process.
    this.#socket.on("error", () => {});
    const options: ConnectionOptions = {
      socket: this.#socket,
      rejectUnauthorized: verify,
      ...(ca !== undefined && { ca }),
    };
    // An address is no name that could be asked for.
    if (!/^[\d.]+$|:/.test(servername)) options.servername = servername;
    else options.checkServerIdentity = () => undefined;
    this.#socket = connectSecure(options) as TLSSocket;
    await this.#established("secureConnect");
    this.#listen();
  }

  write(bytes: Uint8Array | string): void {
    this.#socket.write(bytes);
  }

  async read(length: number): Promise<Buffer> {
    if (length > this.#maxBytes) throw new Error(`it announces ${length} bytes; at most ${this.#maxBytes} are read`);
    while (this.#held.length < length) await this.#more();
    const taken = this.#held.subarray(0, length);
    this.#held = this.#held.subarray(length);
    return taken;
  }

  /** Up to `\r\n`, which is left out. */
  async readLine(): Promise<string> {
    for (;;) {
      const end = this.#held.indexOf("\r\n");
      if (end >= 0) return (await this.read(end + 2)).subarray(0, end).toString("utf8");
      await this.#more();
    }
  }

  close(): void {
    this.#socket.removeAllListeners();
    this.#socket.on("error", () => {});
    this.#socket.destroy();
  }

  async #established(event: "connect" | "secureConnect"): Promise<void> {
    const { signal } = this.#options;
    await new Promise<void>((resolve, reject) => {
      const settled = (): void => {
        signal.removeEventListener("abort", abort);
        this.#socket.removeListener("close", closed);
      };
      const abort = (): void => {
        settled();
        reject(signal.reason);
      };
      const closed = (): void => {
        settled();
        reject(new Error("connection closed"));
      };
      if (signal.aborted) return abort();
      signal.addEventListener("abort", abort, { once: true });
      this.#socket.once("close", closed);
      this.#socket.once("error", (error: NodeJS.ErrnoException) => {
        settled();
        reject(new Error(wordsOf(error)));
      });
      this.#socket.once(event, () => {
        settled();
        resolve();
      });
    });
  }

  #listen(): void {
    const end = (error: Error): void => {
      this.#failure ??= error;
      this.#wake();
    };
    this.#socket.on("data", (chunk: Buffer) => {
      this.#held = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
      if (this.#held.length > this.#maxBytes) {
        end(new Error(`it sent more than ${this.#maxBytes} bytes`));
        this.#socket.destroy();
      }
      this.#wake();
    });
    this.#socket.on("error", (error: NodeJS.ErrnoException) => end(new Error(wordsOf(error))));
    this.#socket.on("close", () => end(new Error("connection closed")));
  }

  async #more(): Promise<void> {
    const { signal } = this.#options;
    signal.throwIfAborted();
    if (this.#failure !== null) throw this.#failure;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        signal.removeEventListener("abort", wake);
        this.#wake = () => {};
        resolve();
      };
      this.#wake = wake;
      signal.addEventListener("abort", wake, { once: true });
    });
    signal.throwIfAborted();
  }
}

/** What the system said, as a person says it. */
export function wordsOf(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "ECONNREFUSED":
      return "connection refused";
    case "ECONNRESET":
    case "EPIPE":
      return "connection reset";
    case "ENOTFOUND":
      return "its name is not known";
    case "EAI_AGAIN":
      return "its name could not be looked up";
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return "there is no way to it";
    case "ETIMEDOUT":
      return "no answer to the connection";
    default:
      return error.message.split("\n")[0] || String(error.code ?? "it failed");
  }
}
