import { type Evidence, SlipwayError } from "../../core/errors/error.ts";
import { SshError } from "../../lib/ssh/errors.ts";

/** What an SSH failure means to a person. Everything else passes as it is. */
export function serverError(error: unknown): unknown {
  if (!(error instanceof SshError)) return error;
  const evidence: Evidence[] = [["ssh", error.message]];
  if (error.fingerprint !== null) evidence.push(["its key", error.fingerprint]);
  const details = { evidence, cause: error };
  switch (error.code) {
    case "HOST_KEY_UNKNOWN":
      return new SlipwayError("HOST_KEY_UNKNOWN", {
        ...details,
        message: `the host key of ${error.destination} is not known here; nothing was sent`,
      });
    case "HOST_KEY_CHANGED":
      return new SlipwayError("HOST_KEY_UNKNOWN", {
        ...details,
        message: `the host key of ${error.destination} is another one than before; nothing was sent`,
        hint: "when the server was made anew, forget the old key: ssh-keygen -R <host>; else somebody stands between",
      });
    case "DENIED":
    case "REFUSED":
      return new SlipwayError("HOST_DENIED", { ...details, message: `${error.destination} does not let us in` });
    case "AWAY":
    case "TIMED_OUT":
    case "FAILED":
      return new SlipwayError("HOST_AWAY", {
        ...details,
        message: `${error.destination} cannot be reached`,
        hint: `try: ssh ${error.destination} true`,
      });
  }
}
