import { request } from "node:http";
import { reasonOf, SlipwayError } from "../../../core/errors/error.ts";

const maxAnswerBytes = 32_000_000;
const answerWithinMs = 30_000;

export type SocketAnswer = { readonly status: number; readonly body: string };

/** One bounded HTTP call over a unix socket. Throws EDGE_UNREACHABLE when nobody answers. */
export function askSocket(
  socket: string,
  method: "GET" | "POST",
  path: string,
  body?: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<SocketAnswer> {
  return new Promise((resolve, reject) => {
    const failed = (cause: unknown): void =>
      reject(new SlipwayError("EDGE_UNREACHABLE", { message: `The edge does not answer: ${reasonOf(cause)}`, cause }));
    const call = request(
      {
        socketPath: socket,
        method,
        path,
        agent: false,
        signal: AbortSignal.timeout(answerWithinMs),
        headers: {
          Host: "localhost",
          ...(body === undefined ? {} : { "Content-Type": "application/json" }),
          ...headers,
        },
      },
      (answer) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        answer.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > maxAnswerBytes) call.destroy(new Error(`it answered with more than ${maxAnswerBytes} bytes`));
          else chunks.push(chunk);
        });
        answer.on("error", failed);
        answer.on("end", () =>
          resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }),
        );
      },
    );
    call.on("error", failed);
    call.end(body);
  });
}

export type Acknowledged = { readonly digest: string; readonly stamp: string };

/** Where the config in force says that it is; null when Caddy does not run. */
export async function acknowledgingSocket(adminSocket: string): Promise<string | null> {
  const answer = await askSocket(adminSocket, "GET", "/config/apps/http/servers/acknowledge/listen/0").catch(
    () => null,
  );
  if (answer?.status !== 200) return null;
  return /^"unix\/(.+)\|0600"$/.exec(answer.body.trim())?.[1] ?? null;
}

/** Which config and which table Caddy works by; null when it does not say. */
export async function acknowledged(socket: string): Promise<Acknowledged | null> {
  const answer = await askSocket(socket, "GET", "/").catch(() => null);
  const [digest = "", stamp = ""] = answer?.body.trim().split(" ") ?? [];
  return answer?.status === 200 ? { digest, stamp } : null;
}

/**
 * Has Caddy take a config as a whole, or keep the one it has. Loading the one it has changes nothing, unless `again`: then
 * files that it names are read anew. Errors: PORT_TAKEN, EDGE_REFUSED_TABLE, EDGE_UNREACHABLE.
 */
export async function load(adminSocket: string, config: string, options: { readonly again: boolean }): Promise<void> {
  const headers = options.again ? { "Cache-Control": "must-revalidate" } : {};
  const { status, body } = await askSocket(adminSocket, "POST", "/load", config, headers);
  if (status === 200) return;
  const why = errorIn(body);
  const taken = /listening on ([^:]*:?\d*\S*?):? .*address already in use|address already in use/.exec(why);
  if (taken !== null)
    throw new SlipwayError("PORT_TAKEN", {
      message: `Caddy cannot listen: another program has the port`,
      evidence: [["caddy", why]],
    });
  throw new SlipwayError("EDGE_REFUSED_TABLE", {
    message: "Caddy refused its new config; the one before is still in force",
    evidence: [["caddy", why]],
  });
}

/** Requests under way by address, where Caddy tells (2.11 and newer); under `null` those it only tells by slot. */
export async function requestsUnderWay(adminSocket: string): Promise<Map<string | null, number>> {
  const { status, body } = await askSocket(adminSocket, "GET", "/reverse_proxy/upstreams");
  if (status !== 200)
    throw new SlipwayError("EDGE_UNREACHABLE", { message: `Caddy answered ${status}: ${errorIn(body)}` });
  const counts = new Map<string | null, number>();
  for (const { address, num_requests: count } of JSON.parse(body) as { address: string; num_requests: number }[]) {
    const key = address.startsWith("{") ? null : address;
    counts.set(key, (counts.get(key) ?? 0) + count);
  }
  return counts;
}

function errorIn(body: string): string {
  try {
    const { error } = JSON.parse(body) as { error?: unknown };
    return typeof error === "string" ? error.slice(0, 2_000) : body.slice(0, 2_000);
  } catch {
    return body.slice(0, 2_000);
  }
}
