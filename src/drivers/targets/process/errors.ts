import type { ErrorCode } from "../../../core/errors/catalogue.ts";
import { SlipwayError } from "../../../core/errors/error.ts";
import { PackError, type PackErrorCode } from "../../../lib/pack.ts";
import { SupervisorError, type SupervisorErrorCode, type UnitSpec } from "../../../lib/supervisor/contract.ts";
import type { RevisionSpec } from "../../../ports/target.ts";

const supervisorCodes: Record<SupervisorErrorCode, ErrorCode> = {
  UNREACHABLE: "SUPERVISOR_UNREACHABLE",
  NOT_FOUND: "INSTANCE_NOT_FOUND",
  START_FAILED: "START_FAILED",
  NO_PORT: "PORTS_EXHAUSTED",
  NO_SPACE: "DISK_FULL",
  BAD_REQUEST: "START_FAILED",
  INTERNAL: "INTERNAL",
};

const packCodes: Record<PackErrorCode, ErrorCode> = {
  MISSING: "ARTIFACT_MISSING",
  CORRUPT: "ARTIFACT_CORRUPT",
  UNSAFE: "ARTIFACT_CORRUPT",
  TOO_LARGE: "ARTIFACT_TOO_LARGE",
  NO_SPACE: "DISK_FULL",
};

/** The tools' errors in the catalogue's words; ours and bugs pass through. */
export function asSlipwayError(error: unknown): unknown {
  if (error instanceof SupervisorError) {
    return new SlipwayError(supervisorCodes[error.code], { message: error.message, cause: error });
  }
  if (error instanceof PackError) {
    return new SlipwayError(packCodes[error.code], { message: error.message, cause: error });
  }
  return error;
}

/** A failed start with what was tried. */
export function startFailed(error: unknown, unit: UnitSpec): unknown {
  if (!(error instanceof SupervisorError) || error.code !== "START_FAILED") return error;
  return new SlipwayError("START_FAILED", {
    message: error.message,
    evidence: [
      ["command", JSON.stringify(unit.command)],
      ["directory", unit.cwd],
    ],
    cause: error,
  });
}

/** The planner refuses this before anything starts; whoever comes here went past it. */
export function needsContainers(spec: Pick<RevisionSpec, "service">): SlipwayError {
  return new SlipwayError("START_FAILED", {
    message: `${spec.service} needs a container, and the process target runs packed directories`,
    hint: "use the docker target in this environment",
  });
}
