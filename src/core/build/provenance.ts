import type { Digest, Json } from "../ids.ts";

export const inTotoMediaType = "application/vnd.in-toto+json";
export const provenanceType = "https://slsa.dev/provenance/v1";
/** What `externalParameters` and `internalParameters` mean is written there, as SLSA asks. */
export const buildType = "https://slipway.dev/build/docker/v1";

export type ProvenanceFacts = {
  readonly name: string;
  readonly image: Digest;
  /** Where the commit is from, and which one; null in a directory without a history. */
  readonly source: { readonly url: string | null; readonly commit: string } | null;
  /** Images it began from, with the digest that each had in this build. */
  readonly bases: readonly { readonly name: string; readonly digest: Digest }[];
  readonly dockerfile: { readonly path: string | null; readonly digest: Digest };
  readonly stage: string | null;
  readonly platform: string;
  readonly args: Readonly<Record<string, string>>;
  /** Their names. What they hold is nowhere. */
  readonly secrets: readonly string[];
  readonly builder: { readonly how: "buildkit" | "classic"; readonly engine: string; readonly version: string };
  readonly invocation: string;
  readonly startedAt: string;
  readonly finishedAt: string;
};

/** An in-toto statement with SLSA v1 provenance: what was made, of what, how, and by whom. */
export function provenance(facts: ProvenanceFacts): Json {
  return {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: facts.name, digest: digestSet(facts.image) }],
    predicateType: provenanceType,
    predicate: {
      buildDefinition: {
        buildType,
        externalParameters: {
          dockerfile: { path: facts.dockerfile.path, digest: digestSet(facts.dockerfile.digest) },
          stage: facts.stage,
          platform: facts.platform,
          args: facts.args,
          secrets: [...facts.secrets].sort(),
        },
        internalParameters: { builder: facts.builder.how, engine: facts.builder.engine },
        resolvedDependencies: [
          ...(facts.source === null
            ? []
            : [
                {
                  ...(facts.source.url !== null && { uri: `git+${facts.source.url}` }),
                  name: "source",
                  digest: { gitCommit: facts.source.commit },
                },
              ]),
          ...facts.bases.map((base) => ({ uri: imageUri(base.name, base.digest), digest: digestSet(base.digest) })),
        ],
      },
      runDetails: {
        builder: { id: "https://slipway.dev/builder/docker", version: { slipway: facts.builder.version } },
        metadata: { invocationId: facts.invocation, startedOn: facts.startedAt, finishedOn: facts.finishedAt },
      },
    },
  };
}

const digestSet = (digest: Digest): { sha256: string } => ({ sha256: digest.slice("sha256:".length) });

function imageUri(name: string, digest: Digest): string {
  return `pkg:docker/${encodeURIComponent(name).replaceAll("%2F", "/")}?digest=${encodeURIComponent(digest)}`;
}
