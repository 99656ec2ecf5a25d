import type { ErrorBody } from "../../src/api/contract.ts";
import type { WireError } from "../../src/core/errors/error.ts";

/** Of the session's two halves the one that this page keeps; the other is a cookie that no script can read. */
const halfKey = "slipway-session";

export const half = {
  read: (): string | null => localStorage.getItem(halfKey),
  keep: (value: string): void => localStorage.setItem(halfKey, value),
  forget: (): void => localStorage.removeItem(halfKey),
};

/** What the control plane says went wrong, in its words; or that it does not answer. */
export class ApiError extends Error {
  readonly wire: WireError;

  constructor(wire: WireError) {
    super(wire.message);
    this.wire = wire;
  }
}

export const isNoSession = (error: unknown): boolean => error instanceof ApiError && error.wire.code === "UNAUTHORIZED";

export function wireOf(error: unknown): WireError {
  if (error instanceof ApiError) return error.wire;
  return {
    code: "INTERNAL",
    message: error instanceof Error ? error.message : String(error),
    evidence: [],
    hint: "load the page again; if it stays so, this is a bug in slipway",
  };
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await answered(await send("GET", path, { signal }))).json() as Promise<T>;
}

export async function post<T>(path: string, body: unknown): Promise<T> {
  return (await answered(await send("POST", path, { body }))).json() as Promise<T>;
}

/** The items of a stream until it ends. One that is cut throws. */
export async function* follow<T>(path: string, signal: AbortSignal): AsyncGenerator<T> {
  const response = await answered(await send("GET", path, { signal }));
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (reader === undefined) return;
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read().catch((error: unknown) => {
      signal.throwIfAborted();
      throw away(error);
    });
    if (done) throw away(new Error("the stream was cut"));
    const lines = (rest + value).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") continue;
      const said = JSON.parse(line) as { readonly item?: T; readonly end?: true; readonly error?: WireError };
      if (said.error !== undefined) throw new ApiError(said.error);
      if (said.end === true) return;
      yield said.item as T;
    }
  }
}

type Asked = { readonly body?: unknown; readonly signal?: AbortSignal | undefined };

async function send(method: "GET" | "POST", path: string, { body, signal }: Asked): Promise<Response> {
  const headers = new Headers({ accept: "application/json" });
  const kept = half.read();
  if (kept !== null) headers.set("slipway-session", kept);
  if (body !== undefined) headers.set("content-type", "application/json");
  try {
    return await fetch(path, {
      method,
      headers,
      cache: "no-store",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    signal?.throwIfAborted();
    throw away(error);
  }
}

async function answered(response: Response): Promise<Response> {
  if (response.ok) return response;
  const body = (await response.json().catch(() => null)) as ErrorBody | null;
  throw body?.error === undefined ? away(new Error(`it answered ${response.status}`)) : new ApiError(body.error);
}

function away(cause: unknown): ApiError {
  return new ApiError({
    code: "CONTROL_PLANE_DOWN",
    message: "the control plane does not answer",
    evidence: [["said", cause instanceof Error ? cause.message : String(cause)]],
    hint: "what is deployed goes on; run: slipway up, and then: slipway dashboard",
  });
}
