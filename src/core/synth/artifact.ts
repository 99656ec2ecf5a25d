/** What can be written, by the word that selects it. In the order in which it is shown. */
export const artifactNames = [
  "github",
  "jenkins",
  "scripts",
  "compose",
  "integration",
  "docker",
  "caddy",
  "env",
  "server",
  "dependabot",
  "deployment",
] as const;
export type ArtifactName = (typeof artifactNames)[number];

/** One line each, for help and docs. */
export const artifactMeanings: Readonly<Record<ArtifactName, string>> = {
  github: "the workflow for GitHub Actions",
  jenkins: "a declarative Jenkinsfile",
  scripts: "scripts/ci: one script a step of the pipeline, and those that deploy and tell people",
  compose: "docker-compose.prod.yml: the services and accessories, on images of a registry or built there",
  integration: "docker-compose.integration.yml: accessories to throw away, for tests",
  docker: "a Dockerfile and .dockerignore for each service that has none",
  caddy: "the Caddyfile in front of docker-compose.prod.yml",
  env: "the template of the file with variables: names only",
  server: "init-server.sh, which makes a server ready",
  dependabot: "updates of dependencies, by what is in the repository",
  deployment: "DEPLOYMENT.md: what is where, and a checklist",
};

/** What one needs of the others to be of any use. */
const needs: Readonly<Partial<Record<ArtifactName, readonly ArtifactName[]>>> = {
  github: ["scripts"],
  jenkins: ["scripts"],
  compose: ["caddy", "env", "docker"],
};

/** With all that they need, in the order of `artifactNames`. */
export function withTheirNeeds(selected: readonly ArtifactName[]): readonly ArtifactName[] {
  const all = new Set<ArtifactName>();
  const open = [...selected];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (all.has(name)) continue;
    all.add(name);
    open.push(...(needs[name] ?? []));
  }
  return artifactNames.filter((name) => all.has(name));
}

/** How a comment is written in a file: the mark is one. */
export type CommentStyle = "#" | "//" | "<!--";

/** A file as it should be, without its mark. */
export type SynthFile = {
  readonly artifact: ArtifactName;
  /** Where it is: `.github` is at the top of the repository, all else beside the config. */
  readonly base: "product" | "repository";
  /** Relative to that, with `/`. */
  readonly path: string;
  readonly comment: CommentStyle;
  /** Where the mark stands: first, or after a first line that must be first; last where somebody else writes the same file. */
  readonly markAt: "top" | "end";
  readonly text: string;
  readonly executable: boolean;
};

/** A file of text, with what is usual. */
export function textFile(
  file: Pick<SynthFile, "artifact" | "path" | "text"> & Partial<Omit<SynthFile, "artifact" | "path" | "text">>,
): SynthFile {
  return { base: "product", comment: "#", markAt: "top", executable: false, ...file };
}
