import type { ErrorCode } from "../../../core/errors/catalogue.ts";
import { type Evidence, isSlipwayError, reasonOf, SlipwayError } from "../../../core/errors/error.ts";
import { DockerError } from "../../../lib/docker/errors.ts";
import { SshError, type SshErrorCode } from "../../../lib/ssh/errors.ts";

const sshCodes: Record<SshErrorCode, ErrorCode> = {
  HOST_KEY_UNKNOWN: "HOST_KEY_UNKNOWN",
  HOST_KEY_CHANGED: "HOST_KEY_UNKNOWN",
  DENIED: "HOST_DENIED",
  AWAY: "HOST_AWAY",
  TIMED_OUT: "HOST_AWAY",
  REFUSED: "HOST_DENIED",
  FAILED: "HOST_AWAY",
};

/** A failure at a host in the catalogue's words, with the host's name first. Bugs pass through. */
export function atHost(host: string, error: unknown): unknown {
  if (isSlipwayError(error)) return error;
  if (error instanceof SshError) {
    const evidence: Evidence[] = [];
    if (error.fingerprint !== null) evidence.push(["key it showed", error.fingerprint]);
    for (const line of lastLines(error.stderr)) evidence.push(["ssh", line]);
    const changed = error.code === "HOST_KEY_CHANGED" ? "its key has changed since it was last seen: " : "";
    return new SlipwayError(sshCodes[error.code], {
      message: `host ${host}: ${changed}${error.message}`,
      evidence,
      cause: error,
      ...(changed !== "" && {
        hint: "make sure that the host was really set up anew, then: ssh-keygen -R <host>, and learn its key again",
      }),
    });
  }
  if (!(error instanceof DockerError)) return error;
  const details = {
    message: `host ${host}: ${error.message}`,
    evidence: [["engine", error.call]] as Evidence[],
    cause: error,
  };
  switch (error.code) {
    case "AWAY":
    case "TIMED_OUT":
      return new SlipwayError("HOST_AWAY", details);
    case "DENIED":
      return new SlipwayError("HOST_DENIED", {
        ...details,
        hint: error.hint ?? "add the user to the host's docker group",
      });
    case "UNSUPPORTED":
      return new SlipwayError("ENGINE_TOO_OLD", details);
    case "REFUSED":
    case "PROTOCOL":
      return /no space left on device/i.test(error.message)
        ? diskFull(host, error)
        : new SlipwayError("START_FAILED", details);
  }
}

export function isAway(error: unknown): boolean {
  return isSlipwayError(error) && error.code === "HOST_AWAY";
}

export function diskFull(host: string, error: unknown): SlipwayError {
  return new SlipwayError("DISK_FULL", {
    message: `host ${host}: no space is left on its disk`,
    evidence: [["engine", reasonOf(error)]],
    hint: "free space there: slipway server check, or docker system df on the host",
    cause: error,
  });
}

/** The engine's words for a port that somebody has already. */
const portTaken = /port is already allocated|address already in use/i;

/** The taken port, or 0 when the engine does not say which; null when it is another failure. */
export function takenPort(error: unknown): number | null {
  if (!(error instanceof DockerError) || !portTaken.test(error.message)) return null;
  return Number(/(?:Bind for \S*:|listen tcp\d? \S*:|\S:)(\d{1,5})(?::| failed| bind)/.exec(error.message)?.[1] ?? 0);
}

function lastLines(text: string): readonly string[] {
  return text
    .split(/\r?\n/)
    .filter((line) => line.trim() !== "" && !line.startsWith("@@"))
    .slice(-5);
}
