import { Agent, type IncomingMessage, request } from "node:http";
import { connect, type Socket } from "node:net";

/** Where clients ask: a port of this machine, or of another. */
export type Door = number | { readonly host: string; readonly port: number };

export const doorAt = (door: Door): { readonly host: string; readonly port: number } =>
  typeof door === "number" ? { host: "127.0.0.1", port: door } : door;

export type Answer = {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
};

export type Ask = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly agent?: Agent;
};

/** One request and its whole answer; rejects when the connection fails or the answer is cut off. */
export function ask(
  door: Door,
  path: string,
  { method = "GET", headers = {}, body, agent }: Ask = {},
): Promise<Answer> {
  // Without it node:http would send the body of a GET as the beginning of the next request.
  const length = body === undefined ? {} : { "Content-Length": String(Buffer.byteLength(body)) };
  return new Promise((resolve, reject) => {
    const call = request(
      {
        ...doorAt(door),
        path,
        method,
        headers: { Host: "test.example", ...length, ...headers },
        agent: agent ?? false,
      },
      (answer) => {
        let text = "";
        answer.setEncoding("utf8");
        answer.on("data", (piece: string) => {
          text += piece;
        });
        answer.on("error", reject);
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text }));
      },
    );
    call.on("error", reject);
    call.end(body);
  });
}

export type Load = {
  /** Ends it and says what happened. */
  stop(): Promise<{ readonly answers: Map<string, number>; readonly failures: string[] }>;
  /** Resolves when so many more answers have come. */
  more(count: number): Promise<void>;
};

/** Clients that ask one request after the other over kept connections, and now and then over a new one. No retries. */
export function startLoad(door: Door, clients: number, paths: readonly string[] = ["/"]): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const answers = new Map<string, number>();
  const failures: string[] = [];
  let running = true;
  let total = 0;
  let watchers: { at: number; wake: () => void }[] = [];
  const one = async (client: number): Promise<void> => {
    for (let turn = 0; running; turn += 1) {
      const path = paths[(client + turn) % paths.length] ?? "/";
      try {
        const answer = await ask(door, path, (client + turn) % 10 === 0 ? {} : { agent });
        if (answer.status === 200) answers.set(answer.body, (answers.get(answer.body) ?? 0) + 1);
        else failures.push(`${answer.status} ${answer.body}`);
      } catch (error) {
        failures.push(String(error));
      }
      total += 1;
      if (watchers.length === 0) continue;
      for (const watcher of watchers) if (watcher.at <= total) watcher.wake();
      watchers = watchers.filter((watcher) => watcher.at > total);
    }
  };
  const all = Promise.all(Array.from({ length: clients }, (_, client) => one(client)));
  return {
    more: (count) =>
      new Promise((wake) => {
        watchers.push({ at: total + count, wake });
      }),
    async stop() {
      running = false;
      await all;
      agent.destroy();
      return { answers, failures };
    },
  };
}

export type LongConnection = {
  readonly socket: Socket;
  /** Everything received so far. */
  text(): string;
  /** Resolves when `text` has been received, or rejects when the connection ends before. */
  receives(text: string | RegExp): Promise<void>;
  readonly closed: Promise<void>;
};

/** A connection that stays: sends `head` and keeps what comes. */
export function openLong(door: Door, head: string): LongConnection {
  const socket = connect(doorAt(door));
  let received = "";
  let watchers: (() => void)[] = [];
  let gone = false;
  socket.setEncoding("latin1");
  socket.on("data", (text) => {
    received += text;
    for (const look of watchers) look();
  });
  socket.on("error", () => undefined);
  const closed = new Promise<void>((resolve) => {
    socket.on("close", () => {
      gone = true;
      for (const look of watchers) look();
      resolve();
    });
  });
  socket.write(head);
  return {
    socket,
    text: () => received,
    closed,
    receives: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const there = typeof text === "string" ? received.includes(text) : text.test(received);
          if (!there && !gone) return;
          watchers = watchers.filter((other) => other !== look);
          if (there) resolve();
          else reject(new Error(`closed before ${text}; received ${JSON.stringify(received)}`));
        };
        watchers.push(look);
        look();
      }),
  };
}

export const webSocketHead = (path = "/websocket"): string =>
  `GET ${path} HTTP/1.1\r\nHost: test.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;

/** Asks until `look` is content; rejects with what it last saw. For what the edge promises within a time. */
export async function within<T>(ms: number, look: () => T | null | Promise<T | null>, what: string): Promise<T> {
  const until = performance.now() + ms;
  for (;;) {
    const seen = await look();
    if (seen !== null) return seen;
    if (performance.now() > until) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
