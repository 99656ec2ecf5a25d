import { once } from "node:events";
import { rm } from "node:fs/promises";
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream";
import type { Master } from "./master.ts";
import { socketName } from "./options.ts";

const establishTimeoutMs = 10_000;

/** What the host should connect to. */
export type Remote = { readonly socket: string } | { readonly host: string; readonly port: number };

type Room = {
  readonly directory: string;
  readonly destination: string;
  readonly master: (signal: AbortSignal) => Promise<Master>;
  /** Asks the master something; rejects when it refuses. */
  readonly ask: (master: Master, words: readonly string[], signal: AbortSignal) => Promise<void>;
  readonly forget: () => void;
};

/**
 * A way through the connection to something the host reaches. Its near end is a socket in our private directory, so other users
 * of this machine cannot use it.
 */
export class Forward {
  readonly remote: Remote;
  readonly #room: Room;
  #made: { readonly by: Master; readonly socket: string } | null = null;
  #making: Promise<string> | null = null;
  #listener: Promise<Server> | null = null;

  constructor(remote: Remote, room: Room) {
    this.remote = remote;
    this.#room = room;
  }

  /** Path of the near end; made anew after a drop of the connection. */
  async established(signal: AbortSignal): Promise<string> {
    const master = await this.#room.master(signal);
    if (this.#made !== null && this.#made.by === master) return this.#made.socket;
    // Shared by all who ask now, so no single one of them calls it off.
    this.#making ??= this.#establish(master, AbortSignal.timeout(establishTimeoutMs)).finally(() => {
      this.#making = null;
    });
    return this.#making;
  }

  /** A connection to the far end. */
  async connect(signal: AbortSignal): Promise<Socket> {
    const socket = createConnection(await this.established(signal));
    const stop = () => socket.destroy(signal.reason instanceof Error ? signal.reason : new Error("aborted"));
    signal.addEventListener("abort", stop, { once: true });
    try {
      await once(socket, "connect");
      return socket;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** A port of 127.0.0.1 that leads to the far end, the same over reconnects. For programs that cannot use a socket's path. */
  async localPort(signal: AbortSignal): Promise<number> {
    await this.established(signal);
    this.#listener ??= listen((near) => this.#relay(near));
    const { port } = (await this.#listener).address() as AddressInfo;
    return port;
  }

  async close(): Promise<void> {
    this.#room.forget();
    const listener = await this.#listener?.catch(() => null);
    listener?.close();
    const made = this.#made;
    this.#made = null;
    if (made === null) return;
    if (!made.by.isLost) {
      const words = ["-O", "cancel", "-L", this.#specification(made.socket)];
      await this.#room.ask(made.by, words, AbortSignal.timeout(5_000)).catch(() => {});
    }
    await rm(made.socket, { force: true });
  }

  async #establish(master: Master, signal: AbortSignal): Promise<string> {
    const before = this.#made;
    if (before !== null) await rm(before.socket, { force: true });
    const socket = join(this.#room.directory, socketName("f", JSON.stringify(this.remote)));
    await this.#room.ask(master, ["-O", "forward", "-L", this.#specification(socket)], signal);
    this.#made = { by: master, socket };
    return socket;
  }

  #specification(socket: string): string {
    if ("socket" in this.remote) return `${socket}:${this.remote.socket}`;
    const host = this.remote.host.includes(":") ? `[${this.remote.host}]` : this.remote.host;
    return `${socket}:${host}:${this.remote.port}`;
  }

  #relay(near: Socket): void {
    near.pause();
    // As long as a client of the near end waits: it closes when it no longer does.
    const gone = new AbortController();
    near.on("close", () => gone.abort(new Error("the client went away")));
    near.on("error", () => {});
    this.connect(gone.signal).then(
      (far) => {
        pipeline(near, far, () => {});
        pipeline(far, near, () => {});
      },
      () => near.destroy(),
    );
  }
}

async function listen(onConnection: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, onConnection).listen(0, "127.0.0.1");
  server.unref();
  await once(server, "listening");
  return server;
}
