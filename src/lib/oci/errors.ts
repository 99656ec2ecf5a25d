/**
 * - `MISSING`: the blob, image or repository is not there.
 * - `CORRUPT`: content that is not what its digest or its own words say.
 * - `TOO_LARGE`: a limit was passed.
 * - `NO_SPACE`: the disk is full.
 * - `DENIED`: the registry knows us and refuses, or does not know us.
 * - `UNSUPPORTED`: the registry has no such call, or it is switched off.
 * - `AWAY`: nobody answers, or not in time, or it says itself that it cannot now. Worth another try later.
 * - `PROTOCOL`: an answer that makes no sense.
 * - `NOT_TAKEN`: the engine did not take the image.
 */
export type OciErrorCode =
  | "MISSING"
  | "CORRUPT"
  | "TOO_LARGE"
  | "NO_SPACE"
  | "DENIED"
  | "UNSUPPORTED"
  | "AWAY"
  | "PROTOCOL"
  | "NOT_TAKEN";

export class OciError extends Error {
  override readonly name = "OciError";
  readonly code: OciErrorCode;
  /** Of a registry's answer, else null. */
  readonly status: number | null;

  constructor(
    code: OciErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly status?: number } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status ?? null;
  }
}

/** A full disk in our words; everything else as it is. */
export function withDiskWords(error: unknown, directory: string): unknown {
  if (error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT")) {
    return new OciError("NO_SPACE", `no space is left on the disk of ${directory}`, { cause: error });
  }
  return error;
}
