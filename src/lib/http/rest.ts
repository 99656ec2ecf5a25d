import { request } from "undici";

export type RestAsk = {
  readonly method?: "GET" | "POST" | "PATCH" | "PUT";
  /** Below the base, with its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object;
  readonly signal: AbortSignal;
};

export type RestAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Undefined where it is empty or no JSON. */
  readonly body: unknown;
};

export type RestOptions = { readonly base: string; readonly timeoutMs: number; readonly maxBytes: number };

/** One request of JSON and its answer, whatever its status. Redirects are not followed. Rejects when there is none that can be read. */
export async function rest(options: RestOptions, ask: RestAsk): Promise<RestAnswer> {
  const { method = "GET", path, headers = {}, body, signal } = ask;
  signal.throwIfAborted();
  const answer = await request(`${options.base}${path}`, {
    method,
    headers: {
      accept: "application/json",
      "user-agent": "slipway",
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.any([signal, AbortSignal.timeout(options.timeoutMs)]),
  });
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > options.maxBytes) throw new Error(`the answer has more than ${options.maxBytes} bytes`);
    chunks.push(chunk);
  }
  return { status: answer.statusCode, headers: singles(answer.headers), body: parsed(Buffer.concat(chunks)) };
}

/** What an answer says of when to come again, in ms: `Retry-After` in seconds or as a date; null where it says nothing. */
export function retryAfterMs({ headers }: Pick<RestAnswer, "headers">, now: number): number | null {
  const said = headers["retry-after"];
  if (said === undefined) return null;
  const seconds = Number(said);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1_000);
  const at = Date.parse(said);
  return Number.isNaN(at) ? null : Math.max(0, at - now);
}

function singles(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]),
  );
}

function parsed(bytes: Buffer): unknown {
  try {
    return bytes.length === 0 ? undefined : JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined;
  }
}
