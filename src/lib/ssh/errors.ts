/**
 * - `HOST_KEY_UNKNOWN`, `HOST_KEY_CHANGED`: the host's key is not the one that this machine knows; `fingerprint` is the key's.
 * - `DENIED`: the host is there and does not let us in.
 * - `AWAY`: no connection, or it was lost. Worth another try.
 * - `TIMED_OUT`: what was asked took longer than the caller allows.
 * - `REFUSED`: connected, and the host does not allow this: forwarding.
 * - `FAILED`: everything else: no ssh on this machine, an option it does not know, output over the limit.
 */
export type SshErrorCode =
  | "HOST_KEY_UNKNOWN"
  | "HOST_KEY_CHANGED"
  | "DENIED"
  | "AWAY"
  | "TIMED_OUT"
  | "REFUSED"
  | "FAILED";

export class SshError extends Error {
  override readonly name = "SshError";
  readonly code: SshErrorCode;
  /** As it was asked for: `user@host`. */
  readonly destination: string;
  /** The last lines that ssh wrote. */
  readonly stderr: string;
  /** `SHA256:…` of the key that the host showed, where ssh said it. */
  readonly fingerprint: string | null;

  constructor(
    code: SshErrorCode,
    message: string,
    details: { readonly destination: string; readonly stderr?: string; readonly fingerprint?: string | null },
  ) {
    super(message);
    this.code = code;
    this.destination = details.destination;
    this.stderr = details.stderr ?? "";
    this.fingerprint = details.fingerprint ?? null;
  }
}

/** What ssh's own words mean (OpenSSH 8.4 to 10); most telling first. */
const meanings: readonly (readonly [RegExp, SshErrorCode])[] = [
  [/REMOTE HOST IDENTIFICATION HAS CHANGED|revoked host key/i, "HOST_KEY_CHANGED"],
  [/host key is known for|Host key verification failed/i, "HOST_KEY_UNKNOWN"],
  [/Permission denied|Too many authentication failures|account has expired|No supported authentication/i, "DENIED"],
  [/administratively prohibited|forwarding (?:request )?failed|open failed: connect failed/i, "REFUSED"],
  [
    /Connection (?:refused|timed out|closed|reset)|No route to host|Network is (?:unreachable|down)|Host is down|Could not resolve|Operation timed out|not responding|kex_exchange|banner exchange|Broken pipe|lost connection|mux_client|Control socket|Session open refused|Connection to .* closed/i,
    "AWAY",
  ],
];

export function meaningOf(stderr: string): SshErrorCode {
  return meanings.find(([pattern]) => pattern.test(stderr))?.[1] ?? "FAILED";
}

/** The line a person should read first. */
export function tellingLine(stderr: string): string {
  const lines = stderr
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !/^@+$|^debug\d:/.test(line));
  return lines.find((line) => meaningOf(line) !== "FAILED") ?? lines.at(-1) ?? "ssh ended without a word";
}

/** The newest fingerprint in ssh's words, also in those of `ssh -v`. */
export function fingerprintIn(stderr: string): string | null {
  return [...stderr.matchAll(/SHA256:[A-Za-z0-9+/]{43}/g)].at(-1)?.[0] ?? null;
}
