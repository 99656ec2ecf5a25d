import { createHash } from "node:crypto";
import { z } from "zod";
import { OciError } from "./errors.ts";

export type Digest = `sha256:${string}`;

const digestPattern = /^sha256:[0-9a-f]{64}$/;
/** What registries take at most (OCI distribution specification 1.1, "Pushing Manifests"). */
export const maxManifestBytes = 4 * 1024 ** 2;
const maxLayers = 1_000;

export const mediaTypes = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  layer: "application/vnd.oci.image.layer.v1.tar",
  layerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  empty: "application/vnd.oci.empty.v1+json",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerIndex: "application/vnd.docker.distribution.manifest.list.v2+json",
} as const;

/** What a registry is asked for when a manifest is wanted. */
export const manifestTypes: readonly string[] = [
  mediaTypes.manifest,
  mediaTypes.index,
  mediaTypes.dockerManifest,
  mediaTypes.dockerIndex,
];

export const digestShape = z.custom<Digest>((value) => typeof value === "string" && digestPattern.test(value), {
  error: "is no sha256 digest",
});

const annotations = z.record(z.string(), z.string()).optional();

const descriptorShape = z.looseObject({
  mediaType: z.string().max(255),
  digest: digestShape,
  size: z.int().nonnegative(),
  artifactType: z.string().max(255).optional(),
  platform: z.looseObject({ os: z.string().max(255).optional() }).optional(),
  annotations,
});
export type Descriptor = z.output<typeof descriptorShape>;

const manifestShape = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  artifactType: z.string().optional(),
  config: descriptorShape,
  layers: z.array(descriptorShape).max(maxLayers),
  subject: descriptorShape.optional(),
  annotations,
});
export type Manifest = z.output<typeof manifestShape>;

const indexShape = z.looseObject({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  manifests: z.array(descriptorShape).max(100_000),
  annotations,
});
export type Index = z.output<typeof indexShape>;

const configShape = z.looseObject({
  architecture: z.string(),
  os: z.string(),
  variant: z.string().optional(),
  created: z.string().optional(),
  config: z.looseObject({ User: z.string().optional() }).nullish(),
  rootfs: z.looseObject({ type: z.literal("layers"), diff_ids: z.array(digestShape).max(maxLayers) }),
});
export type ImageConfig = z.output<typeof configShape>;

export const parseManifest = (bytes: Buffer): Manifest => parse(bytes, manifestShape, "manifest");
export const parseIndex = (bytes: Buffer): Index => parse(bytes, indexShape, "index");
export const parseConfig = (bytes: Buffer): ImageConfig => parse(bytes, configShape, "image config");

/** Throws CORRUPT with the first thing that is wrong. */
export function parse<T>(bytes: Buffer, shape: z.ZodType<T>, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw new OciError("CORRUPT", `the ${what} is no JSON`, { cause });
  }
  const parsed = shape.safeParse(value);
  if (parsed.success) return parsed.data;
  const [first] = parsed.error.issues;
  throw new OciError("CORRUPT", `the ${what} is not understood: ${first?.path.join(".")}: ${first?.message}`);
}

export function digestOf(content: Buffer | string): Digest {
  return `sha256:${createHash("sha256").update(content).digest("hex")}`;
}

export function isDigest(text: string): text is Digest {
  return digestPattern.test(text);
}
