import { expect, it } from "vitest";
import { provenance } from "./provenance.ts";

const facts = {
  name: "shop/web",
  image: `sha256:${"ab".repeat(32)}`,
  source: { url: "https://github.com/acme/shop", commit: "3f9c2b1a77aa77aa77aa77aa77aa77aa77aa77aa" },
  bases: [{ name: "ghcr.io/acme/base:1", digest: `sha256:${"cd".repeat(32)}` }],
  dockerfile: { path: "Dockerfile", digest: `sha256:${"ef".repeat(32)}` },
  stage: null,
  platform: "linux/amd64",
  args: { WHO: "acme" },
  secrets: ["npm", "aws"],
  builder: { how: "buildkit", engine: "docker 28.5.2", version: "0.1.0" },
  invocation: "i-1",
  startedAt: "2026-11-21T09:00:00.000Z",
  finishedAt: "2026-11-21T09:01:00.000Z",
} as const;

it("the statement of where an image came from is in-toto's, with SLSA's provenance, and names secrets without what they hold", () => {
  expect(provenance(facts)).toEqual({
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: "shop/web", digest: { sha256: "ab".repeat(32) } }],
    predicateType: "https://slsa.dev/provenance/v1",
    predicate: {
      buildDefinition: {
        buildType: "https://slipway.dev/build/docker/v1",
        externalParameters: {
          dockerfile: { path: "Dockerfile", digest: { sha256: "ef".repeat(32) } },
          stage: null,
          platform: "linux/amd64",
          args: { WHO: "acme" },
          secrets: ["aws", "npm"],
        },
        internalParameters: { builder: "buildkit", engine: "docker 28.5.2" },
        resolvedDependencies: [
          {
            uri: "git+https://github.com/acme/shop",
            name: "source",
            digest: { gitCommit: "3f9c2b1a77aa77aa77aa77aa77aa77aa77aa77aa" },
          },
          {
            uri: `pkg:docker/ghcr.io/acme/base%3A1?digest=sha256%3A${"cd".repeat(32)}`,
            digest: { sha256: "cd".repeat(32) },
          },
        ],
      },
      runDetails: {
        builder: { id: "https://slipway.dev/builder/docker", version: { slipway: "0.1.0" } },
        metadata: {
          invocationId: "i-1",
          startedOn: "2026-11-21T09:00:00.000Z",
          finishedOn: "2026-11-21T09:01:00.000Z",
        },
      },
    },
  });
});
