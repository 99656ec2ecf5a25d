import { parse } from "yaml";
import { createdLabel, revisionLabel, sourceLabel, titleLabel, versionLabel } from "../../../core/build/labels.ts";
import { inTotoMediaType, provenance, provenanceType } from "../../../core/build/provenance.ts";
import type { Component } from "../../../core/build/sbom/component.ts";
import { cycloneDx, cycloneDxMediaType } from "../../../core/build/sbom/cyclonedx.ts";
import { type LockFile, readLockFile } from "../../../core/build/sbom/locked.ts";
import type { Digest, EpochMs, Json } from "../../../core/ids.ts";
import type { ImportedImage } from "../../../lib/oci/import-archive.ts";
import type { Layout } from "../../../lib/oci/layout.ts";
import type { BuildSpec, BuiltImage } from "../../../ports/builder.ts";
import { digestOf, type PreparedContext } from "./context/prepare.ts";
import type { ImageContents } from "./layers.ts";

export type Made = {
  readonly spec: BuildSpec;
  readonly context: PreparedContext;
  readonly kept: ImportedImage;
  readonly bases: readonly { readonly name: string; readonly digest: Digest }[];
  readonly contents: ImageContents;
  readonly how: "buildkit" | "classic";
  readonly engine: string;
  readonly version: string;
  readonly invocation: string;
  readonly startedAt: EpochMs;
  readonly finishedAt: EpochMs;
};

/** Writes what is in the image and where it came from, and keeps both beside it, as documents that refer to it. */
export async function attachDocuments(made: Made, layout: Layout): Promise<Pick<BuiltImage, "sbom" | "provenance">> {
  const attach = async (artifactType: string, document: Json, annotations: Record<string, string>): Promise<Digest> => {
    const content = Buffer.from(`${JSON.stringify(document)}\n`);
    await layout.attach(made.kept.digest, { artifactType, content, annotations });
    return digestOf(content);
  };
  return {
    sbom: await attach(cycloneDxMediaType, sbomOf(made), { [titleLabel]: "sbom.cdx.json" }),
    // As other tools look it up: by the kind of statement.
    provenance: await attach(inTotoMediaType, provenanceOf(made), { "in-toto.io/predicate-type": provenanceType }),
  };
}

function sbomOf({ spec, context, kept, contents, version, startedAt }: Made): Json {
  return cycloneDx({
    name: `${spec.product}/${spec.service}`,
    version: spec.labels[versionLabel] ?? kept.digest,
    image: kept.digest,
    timestamp: spec.labels[createdLabel] ?? iso(startedAt),
    tool: version,
    distribution: contents.distribution,
    components: [...contents.components, ...bundled(context, contents.components)],
  });
}

/** Packages of the lock files, where the image has none of their kind: a bundler has put them into the program. */
function bundled({ found }: PreparedContext, installed: readonly Component[]): Component[] {
  const locked = lockFiles.flatMap((name) => {
    const text = found.text(name);
    const file = text === null ? null : lockFileOf(name, text);
    return file === null ? [] : readLockFile(file);
  });
  return locked.filter((each) => !installed.some((other) => other.ecosystem === each.ecosystem));
}

const lockFiles = [
  "package-lock.json",
  "npm-shrinkwrap.json",
  "pnpm-lock.yaml",
  "yarn.lock",
  "poetry.lock",
  "uv.lock",
  "requirements.txt",
] as const;

/** Null for one that cannot be read: the build did not need it either. */
function lockFileOf(name: (typeof lockFiles)[number], text: string): LockFile | null {
  try {
    switch (name) {
      case "package-lock.json":
      case "npm-shrinkwrap.json":
        return { name, json: JSON.parse(text) as unknown };
      case "pnpm-lock.yaml":
        return { name, yaml: parse(text, { maxAliasCount: 0 }) as unknown };
      default:
        return { name, text };
    }
  } catch {
    return null;
  }
}

function provenanceOf(made: Made): Json {
  const { spec, context, kept } = made;
  const commit = spec.labels[revisionLabel];
  return provenance({
    name: `${spec.product}/${spec.service}`,
    image: kept.digest,
    source: commit === undefined ? null : { url: spec.labels[sourceLabel] ?? null, commit },
    bases: made.bases,
    dockerfile: { path: spec.dockerfile, digest: context.dockerfileDigest },
    stage: spec.stage,
    platform: kept.platform,
    args: spec.args,
    secrets: Object.keys(spec.secrets),
    builder: { how: made.how, engine: made.engine, version: made.version },
    invocation: made.invocation,
    startedAt: iso(made.startedAt),
    finishedAt: iso(made.finishedAt),
  });
}

const iso = (at: EpochMs): string => new Date(at).toISOString();
