import { tlsTrouble } from "./tls-trouble.ts";

/**
 * - `AWAY`: nobody answers at the engine's address, or the connection was lost. Worth another try.
 * - `DENIED`: the engine is there and this user may not use it, or one side of TLS does not believe the other.
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
  /** What to do about it, where that is known here. */
  readonly hint: string | null;

  constructor(
    code: DockerErrorCode,
    message: string,
    details: { readonly call: string; readonly status?: number; readonly hint?: string; readonly cause?: unknown },
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.status = details.status ?? null;
    this.call = details.call;
    this.hint = details.hint ?? null;
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
  const tls = tlsTrouble(code);
  if (tls !== null) {
    return new DockerError(
      "DENIED",
      `${where}: ${tls.what} (${[error.message.trim(), ...namesOf(error)].join("; it is for ")})`,
      { ...details, hint: tls.hint },
    );
  }
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

/** The names of a certificate that does not have the one we asked for: of an address, Node's message tells none of them. */
function namesOf(error: Error): readonly string[] {
  const cert = "cert" in error ? error.cert : null;
  if (typeof cert !== "object" || cert === null || !("subjectaltname" in cert)) return [];
  return typeof cert.subjectaltname === "string" ? [cert.subjectaltname] : [];
}
