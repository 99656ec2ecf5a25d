import { SlipwayError } from "../../../core/errors/error.ts";
import { OciError } from "../../../lib/oci/errors.ts";

/** Does it, with the library's failures in the words of the catalogue; others as they are. `what` is the repository or the host. */
export async function translated<T>(what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof OciError)) throw error;
    throw inOurWords(error, what);
  }
}

/** Where images are removed instead. */
function removalHint(repository: string): string {
  const [host = ""] = repository.split("/");
  if (host === "ghcr.io")
    return "remove old versions with GitHub's actions/delete-package-versions, and leave out registry.retention";
  if (/\.dkr\.ecr\./.test(host)) return "give the repository an ECR lifecycle policy, and leave out registry.retention";
  if (host === "docker.io" || !host.includes("."))
    return "remove old tags on Docker Hub itself, and leave out registry.retention";
  return "allow it there (storage.delete.enabled of a registry of yours), or leave out registry.retention";
}

function inOurWords(error: OciError, what: string): SlipwayError {
  const details = { message: error.message, evidence: [["where", what] as const], cause: error };
  switch (error.code) {
    case "MISSING":
      if (error.status !== 404) return new SlipwayError("ARTIFACT_MISSING", details);
      return new SlipwayError("REGISTRY_DENIED", {
        ...details,
        hint: "create the repository first where the registry does not by itself (ECR), and check its name",
      });
    case "CORRUPT":
      return new SlipwayError("ARTIFACT_CORRUPT", details);
    case "TOO_LARGE":
      return new SlipwayError("ARTIFACT_TOO_LARGE", details);
    case "NO_SPACE":
      return new SlipwayError("DISK_FULL", { ...details, hint: "free space on the disk named above" });
    case "UNSUPPORTED":
      return new SlipwayError("REGISTRY_DENIED", { ...details, hint: removalHint(what) });
    case "DENIED":
      return new SlipwayError("REGISTRY_DENIED", details);
    case "AWAY":
      return new SlipwayError("REGISTRY_AWAY", details);
    case "NOT_TAKEN":
      return new SlipwayError("IMAGE_MISSING", {
        ...details,
        hint: "read the engine's log on the host: journalctl -u docker",
      });
    case "PROTOCOL": {
      const isRefusal = error.status !== null && error.status >= 400 && error.status < 500;
      return new SlipwayError(isRefusal ? "REGISTRY_DENIED" : "REGISTRY_AWAY", details);
    }
  }
}
