import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { request } from "node:https";
import { connect, type TLSSocket } from "node:tls";
import { type Answer, type Door, doorAt, type Load } from "./client.ts";

export type SecureAsk = {
  readonly ca: string;
  /** Sent as SNI and as the host of the request. */
  readonly host?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
};

/** One request in HTTP/1.1 over a new connection with TLS; the certificate must be valid for the host. */
export function askSecure(door: Door, path: string, ask: SecureAsk): Promise<Answer> {
  const { ca, host = "test.example", method = "GET", headers = {}, body } = ask;
  return new Promise((resolve, reject) => {
    const call = request(
      {
        ...doorAt(door),
        path,
        method,
        ca,
        servername: host,
        agent: false,
        headers: { Host: host, ...headers },
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

/** A connection in HTTP/2. Resolves when both sides have agreed on it. */
export function openHttp2(door: Door, { ca, host = "test.example" }: SecureAsk): Promise<ClientHttp2Session> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(`https://${host}`, {
      createConnection: () => connect({ ...doorAt(door), ca, servername: host, ALPNProtocols: ["h2"] }),
    });
    session.once("error", reject);
    session.once("connect", () => {
      session.off("error", reject);
      session.on("error", () => undefined);
      resolve(session);
    });
  });
}

/** One request on a connection in HTTP/2; rejects when its stream is reset. */
export function askHttp2(
  session: ClientHttp2Session,
  path: string,
  { host = "test.example", method = "GET", headers = {}, body }: Omit<SecureAsk, "ca"> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const head = { ":path": path, ":method": method, ":authority": host, ...headers };
    const stream = session.request(head, { endStream: body === undefined });
    let answer: Omit<Answer, "body"> = { status: 0, headers: {} };
    let text = "";
    stream.setEncoding("utf8");
    stream.on("response", ({ ":status": status, ...rest }) => {
      answer = { status: status ?? 0, headers: rest as Answer["headers"] };
    });
    stream.on("data", (piece: string) => {
      text += piece;
    });
    stream.on("error", reject);
    stream.on("close", () => {
      if (stream.rstCode === 0 && answer.status !== 0) resolve({ ...answer, body: text });
      else reject(new Error(`stream reset with ${stream.rstCode}`));
    });
    if (body !== undefined) stream.end(body);
  });
}

/** Connects without trust and says what the server presented. */
export function handshake(
  door: Door,
  options: {
    readonly host?: string;
    readonly protocols?: readonly string[];
    readonly maxVersion?: "TLSv1.1" | "TLSv1.2";
  },
): Promise<{
  readonly names: string;
  readonly serial: string;
  readonly protocol: string;
  readonly alpn: string | null;
}> {
  const { host, protocols, maxVersion } = options;
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connect({
      ...doorAt(door),
      rejectUnauthorized: false,
      ...(host === undefined ? {} : { servername: host }),
      ...(protocols === undefined ? {} : { ALPNProtocols: [...protocols] }),
      ...(maxVersion === undefined ? {} : { minVersion: "TLSv1", maxVersion, ciphers: "DEFAULT@SECLEVEL=0" }),
    });
    socket.once("error", reject);
    socket.once("secureConnect", () => {
      const { subjectaltname = "", serialNumber } = socket.getPeerCertificate();
      resolve({
        names: subjectaltname,
        serial: serialNumber,
        protocol: socket.getProtocol() ?? "",
        alpn: socket.alpnProtocol || null,
      });
      socket.destroy();
    });
  });
}

/**
 * Clients of HTTP/2: each asks several requests at once on one connection, and opens another when the server says
 * GOAWAY. As browsers do, a request that was refused on a connection that is being left is asked on the next: a refused
 * stream was not processed (RFC 9113 §8.7). Nothing else is asked twice.
 */
export function startHttp2Load(door: Door, ask: SecureAsk, clients: number, paths: readonly string[]): Load {
  const answers = new Map<string, number>();
  const failures: string[] = [];
  let running = true;
  let total = 0;
  let watchers: { at: number; wake: () => void }[] = [];
  const client = async (): Promise<void> => {
    let open = [...paths];
    while (running || open.length < paths.length) {
      const session = await openHttp2(door, ask).catch((error: unknown) => void failures.push(String(error)));
      if (session === undefined) continue;
      while (!session.closed && !session.destroyed && (running || open.length < paths.length)) {
        const refused: string[] = [];
        const asked = open.map((path) =>
          askHttp2(session, path, ask).then(count, (error) => {
            if (session.closed && /REFUSED_STREAM|GOAWAY/.test(String(error))) refused.push(path);
            else failures.push(String(error));
          }),
        );
        await Promise.all(asked);
        total += open.length - refused.length;
        open = refused.length > 0 ? refused : [...paths];
        for (const watcher of watchers) if (watcher.at <= total) watcher.wake();
        watchers = watchers.filter((watcher) => watcher.at > total);
      }
      session.close();
    }
  };
  const count = ({ status, body }: Answer): void => {
    if (status === 200) answers.set(body, (answers.get(body) ?? 0) + 1);
    else failures.push(`${status} ${body}`);
  };
  const all = Promise.all(Array.from({ length: clients }, client));
  return {
    more: (number) =>
      new Promise((wake) => {
        watchers.push({ at: total + number, wake });
      }),
    async stop() {
      running = false;
      await all;
      return { answers, failures };
    },
  };
}
