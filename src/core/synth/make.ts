import type { ArtifactName, SynthFile } from "./artifact.ts";
import { caddyFiles } from "./caddy.ts";
import { composeFiles } from "./compose.ts";
import { dependabotFiles } from "./dependabot.ts";
import { deploymentFiles } from "./deployment.ts";
import { dockerFiles } from "./docker.ts";
import { envFiles } from "./env.ts";
import { githubFiles } from "./github.ts";
import { integrationFiles } from "./integration.ts";
import { jenkinsFiles } from "./jenkins.ts";
import type { SynthProduct } from "./product.ts";
import { scriptFiles } from "./scripts.ts";
import { serverFiles } from "./server.ts";

type Maker = (product: SynthProduct, selected: readonly ArtifactName[]) => readonly SynthFile[];

const makers: Readonly<Record<ArtifactName, Maker>> = {
  github: githubFiles,
  jenkins: jenkinsFiles,
  scripts: scriptFiles,
  compose: composeFiles,
  integration: integrationFiles,
  docker: dockerFiles,
  caddy: caddyFiles,
  env: envFiles,
  server: serverFiles,
  dependabot: dependabotFiles,
  deployment: deploymentFiles,
};

/** Every file of the artifacts that are selected. Pure: the same product gives the same files, byte for byte. */
export function synthFiles(product: SynthProduct, selected: readonly ArtifactName[]): readonly SynthFile[] {
  return selected.flatMap((name) => makers[name](product, selected));
}
