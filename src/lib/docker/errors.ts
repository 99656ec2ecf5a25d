/**
 * - `AWAY`: nobody answers at the engine's address, or the connection was lost. Worth another try.
 * - `DENIED`: the engine is there and this user may not use it.
 * - `UNSUPPORTED`: its API is older or newer than what we speak.
 * - `REFUSED`: the engine answered with an error; `status` and the message are its own.
 * - `TIMED_OUT`: no whole answer within the call's limit.
 * - `PROTOCOL`: an answer that makes no sense or passes a limit.
 */
export type DockerErrorCode = "AWAY" | "DENIED" | "UNSUPPORTED" | "REFUSED" | "TIMED_OUT" | "PROTOCOL";

export class DockerError extends Error {
  override readonly name = "DockerError";
  readonly code: DockerErrorCode;
  /** HTTP status of a refusal, else null. */
  readonly status: number | null;
  /** `POST /containers/create`, without its body. */
  readonly call: string;

  constructor(
    code: DockerErrorCode,
    message: string,
    details: { readonly call: string; readonly status?: number; readonly cause?: unknown },
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.status = details.status ?? null;
    this.call = details.call;
  }
}

/** Whether the engine said no such thing; with a status of its own where that is another one. */
export function isRefusal(error: unknown, status: number, pattern?: RegExp): error is DockerError {
  return error instanceof DockerError && error.status === status && (pattern?.test(error.message) ?? true);
}

export const isAbsent = (error: unknown): error is DockerError => isRefusal(error, 404);
export const isConflict = (error: unknown): error is DockerError => isRefusal(error, 409);

const awayCodes = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ENOENT",
  "EPIPE",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
  "UND_ERR_SOCKET",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_CLOSED",
  "UND_ERR_DESTROYED",
  "ERR_STREAM_PREMATURE_CLOSE",
]);

/** A failure below HTTP in our words. What is none stays as it is. */
export function fromTransport(error: unknown, call: string, where: string): unknown {
  if (error instanceof DockerError || !(error instanceof Error)) return error;
  const code = "code" in error ? String(error.code) : "";
  const details = { call, cause: error };
  if (code === "EACCES" || code === "EPERM" || code === "DENIED") {
    return new DockerError("DENIED", `${where}: this user may not use the engine (${error.message})`, details);
  }
  if (code.startsWith("UND_ERR_HEADERS_TIMEOUT") || code.startsWith("UND_ERR_BODY_TIMEOUT")) {
    return new DockerError("TIMED_OUT", `${where} did not answer ${call} in time`, details);
  }
  if (awayCodes.has(code) || /other side closed|socket hang up|terminated/.test(error.message)) {
    return new DockerError("AWAY", `${where}: no connection to the engine (${error.message || code})`, details);
  }
  return error;
}
