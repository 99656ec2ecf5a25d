import { type Evidence, isSlipwayError, SlipwayError } from "../../../core/errors/error.ts";
import { DockerError, fromTransport } from "../../../lib/docker/errors.ts";
import { OciError } from "../../../lib/oci/errors.ts";
import { SshError } from "../../../lib/ssh/errors.ts";
import { BuildRefused } from "./job.ts";

export type Failure = {
  readonly service: string;
  readonly host: string;
  /** The build's last lines. */
  readonly evidence: readonly Evidence[];
};

/** What went wrong, in the catalogue's words; null for what is no expected failure. */
export function translate(error: unknown, { service, host, evidence }: Failure): SlipwayError | null {
  if (isSlipwayError(error)) return error;
  if (error instanceof BuildRefused) return refused(error.message, error, { service, host, evidence });
  if (error instanceof DockerError) return fromDocker(error, { service, host, evidence });
  if (error instanceof SshError) return fromSsh(error, host);
  if (error instanceof OciError) return fromLayout(error, service);
  // An answer that breaks off while it is read.
  const cut = fromTransport(error, "POST /build", host);
  if (cut instanceof DockerError) return fromDocker(cut, { service, host, evidence });
  return null;
}

function fromDocker(error: DockerError, failure: Failure): SlipwayError {
  const { host } = failure;
  switch (error.code) {
    case "REFUSED":
      return refused(error.message, error, failure);
    case "DENIED":
      return new SlipwayError("HOST_DENIED", {
        message: `the engine of ${host} may not be used: ${error.message}`,
        cause: error,
        ...(error.hint !== null && { hint: error.hint }),
      });
    case "UNSUPPORTED":
      return new SlipwayError("ENGINE_TOO_OLD", { message: error.message, cause: error });
    case "AWAY":
    case "TIMED_OUT":
    case "PROTOCOL":
      return new SlipwayError("HOST_AWAY", {
        message: `the engine of ${host} does not answer`,
        evidence: [["last", error.message]],
        cause: error,
      });
  }
}

function fromSsh(error: SshError, host: string): SlipwayError {
  const code =
    error.code === "DENIED" ? "HOST_DENIED" : error.code.startsWith("HOST_KEY") ? "HOST_KEY_UNKNOWN" : "HOST_AWAY";
  return new SlipwayError(code, {
    message: `the build host ${host} is not reached by ssh`,
    evidence: [["ssh said", error.message]],
    cause: error,
  });
}

/** Kept on this machine, not on the build host. */
function fromLayout(error: OciError, service: string): SlipwayError {
  const code =
    error.code === "NO_SPACE" ? "DISK_FULL" : error.code === "TOO_LARGE" ? "ARTIFACT_TOO_LARGE" : "ARTIFACT_CORRUPT";
  return new SlipwayError(code, {
    message: `the image of ${service} could not be kept`,
    evidence: [["last", error.message]],
    cause: error,
  });
}

function refused(why: string, cause: Error, { service, host, evidence }: Failure): SlipwayError {
  const said: Evidence = ["engine said", why.slice(0, 2_000)];
  if (/no space left on device|disk quota exceeded/i.test(why)) {
    return new SlipwayError("DISK_FULL", {
      message: `the build of ${service} does not fit on the disk of ${host}`,
      evidence: [said],
      hint: "free space on the build host, for example by: docker builder prune",
      cause,
    });
  }
  const hint = hintFor(`${why}\n${evidence.map(([, text]) => text).join("\n")}`);
  return new SlipwayError("BUILD_FAILED", {
    message: `the build of ${service} on ${host} failed`,
    evidence: [...evidence, said],
    ...(hint !== null && { hint }),
    cause,
  });
}

/** Where what was printed tells what to do. */
function hintFor(text: string): string | null {
  if (
    /pull access denied|manifest unknown|manifest for \S+ not found|failed to resolve (?:source metadata|reference)/i.test(
      text,
    )
  ) {
    return "check the base image's name, and that the build host may pull it";
  }
  if (
    /gyp ERR!|command 'gcc' failed|unable to execute '(?:x86_64-linux-gnu-)?gcc'|error: linker `cc` not found/i.test(
      text,
    )
  ) {
    return "a package is compiled and the slim base has no compiler: set the builder's base image to the full one, such as node:22";
  }
  if (/secret \S+: not found|could not parse secret/i.test(text))
    return "give the service's build the secret that the Dockerfile mounts";
  return null;
}
