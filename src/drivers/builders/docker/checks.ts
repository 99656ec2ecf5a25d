import { readDockerfile } from "../../../core/build/dockerfile/read.ts";
import { type OfferedPlatforms, platformRefusal } from "../../../core/build/platforms.ts";
import { SlipwayError } from "../../../core/errors/error.ts";
import type { BuildSpec } from "../../../ports/builder.ts";

/** A secret this short is found in ordinary words; whether it is told is then not looked at. */
const minSecretChars = 4;

/** What no builder of ours does. Nothing has been sent yet. Errors: BUILD_FAILED, IMAGE_WRONG_PLATFORM. */
export function refuseUnsafe(spec: BuildSpec, dockerfile: string, builder: OfferedPlatforms): void {
  const { runs } = readDockerfile(dockerfile, spec.args);
  const refusal = platformRefusal({ ...spec, runs }, builder);
  if (refusal !== null) throw refusal;
  for (const [name, secret] of Object.entries(spec.secrets)) {
    const value = secret.reveal();
    if (value.length < minSecretChars) continue;
    const told = [...Object.entries(spec.args), ...Object.entries(spec.labels)].find(([, text]) =>
      text.includes(value),
    );
    if (told === undefined) continue;
    throw new SlipwayError("BUILD_FAILED", {
      message: `the value of the build secret ${name} is also in ${told[0]}, which stays readable in the image`,
      hint: `take it out of ${told[0]}, and mount it: RUN --mount=type=secret,id=${name}`,
    });
  }
}

/** What would fail in the middle of a classic build, or be left out in silence. Errors: BUILD_FAILED. */
export function refuseWhatClassicCannot(spec: BuildSpec, dockerfile: string): void {
  const secrets = Object.keys(spec.secrets);
  const { needsBuildKit } = readDockerfile(dockerfile, spec.args);
  if (secrets.length === 0 && needsBuildKit.length === 0) return;
  throw new SlipwayError("BUILD_FAILED", {
    message:
      secrets.length > 0
        ? `${spec.service} is built with secrets (${secrets.join(", ")}), which only BuildKit can keep out of the image`
        : `the Dockerfile of ${spec.service} needs BuildKit`,
    evidence: needsBuildKit.slice(0, 5).map((text) => ["needs BuildKit", text] as const),
    hint: "build with BuildKit: Docker 20.10 and newer have it; do not set the builder to classic",
  });
}
