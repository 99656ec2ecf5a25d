import type { Digest, ServiceName } from "../ids.ts";

/** An image as a release names it. */
export type ReleasedImage = {
  /** Of the manifest. */
  readonly digest: Digest;
  /** Of the config; the manifest's again where only a registry knows it. */
  readonly id: Digest;
  /** Where it was there already; null when it was built, and is in the layout and where it was pushed to. */
  readonly from: string | null;
  /** Its own user, `""` where it names none; absent where that is not known. */
  readonly user?: string;
};

/** What a run made of a service, one for each way in which its environments run it. */
export type ServiceArtifacts = { readonly directory: Digest | null; readonly image: ReleasedImage | null };

/** By service; an accessory's image is under its `accessoryKey`. */
export type ReleaseArtifacts = Readonly<Record<string, ServiceArtifacts>>;

export const noArtifacts: ServiceArtifacts = { directory: null, image: null };

/** No service's name has a slash. */
export const accessoryKey = (name: string): string => `accessories/${name}`;

/** As a release's row keeps them. A digest alone is a packed directory: the form of the first releases. */
export function parseArtifacts(text: string): ReleaseArtifacts {
  const kept = JSON.parse(text) as Record<string, Digest | ServiceArtifacts>;
  return Object.fromEntries(
    Object.entries(kept).map(([name, value]) => [
      name,
      typeof value === "string" ? { directory: value, image: null } : value,
    ]),
  );
}

/** For a release's row. */
export function writeArtifacts(artifacts: ReleaseArtifacts): string {
  const entries = Object.entries(artifacts);
  return JSON.stringify(
    Object.fromEntries(
      entries.map(([name, one]) => [name, one.image === null && one.directory !== null ? one.directory : one]),
    ),
  );
}

/** Packed directories, which we keep as files. */
export function directoriesOf(artifacts: ReleaseArtifacts): Digest[] {
  return Object.values(artifacts).flatMap(({ directory }) => (directory === null ? [] : [directory]));
}

/** Images that were built, which we keep in the layout. */
export function builtImagesOf(artifacts: ReleaseArtifacts): Digest[] {
  return Object.values(artifacts).flatMap(({ image }) => (image === null || image.from !== null ? [] : [image.digest]));
}

/** Two releases with the same one run the same code. */
export function identityOf(artifacts: ReleaseArtifacts, service: ServiceName): string {
  const { directory, image } = artifacts[service] ?? noArtifacts;
  return [directory, image?.digest].join(" ");
}
