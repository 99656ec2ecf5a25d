import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { SlipwayError } from "../../core/errors/error.ts";
import type { Digest } from "../../core/ids.ts";
import { isForThePublic } from "../../core/release/site.ts";
import { PackError, packDirectory } from "../../lib/pack.ts";

/** What the engine asks of packed directories. */
export type KeptArtifacts = Pick<Artifacts, "keep" | "file" | "has" | "kept" | "remove">;

/** Packed directories by the digest of their content: the same content is kept once, whatever release made it. */
export class Artifacts {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = join(directory, "artifacts");
  }

  /**
   * Packs a directory, or what of it is for the public, and keeps it. Repeating it with the same content changes nothing.
   * Errors: ARTIFACT_TOO_LARGE, DISK_FULL.
   */
  async keep(source: string, purpose: "to-run" | "to-publish" = "to-run"): Promise<{ digest: Digest; bytes: number }> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const incoming = join(this.#directory, `incoming-${process.pid}-${Math.random().toString(36).slice(2)}.tar`);
    try {
      const packed = await packDirectory(source, incoming, {
        skip: (path) => path === ".git" || (purpose === "to-publish" && !isForThePublic(path)),
      });
      await rename(incoming, this.file(packed.digest));
      return { digest: packed.digest, bytes: packed.bytes };
    } catch (error) {
      await rm(incoming, { force: true });
      throw error instanceof PackError ? asSlipwayError(error, source) : error;
    }
  }

  file(digest: Digest): string {
    return join(this.#directory, `${digest.replace("sha256:", "")}.tar`);
  }

  async has(digest: Digest): Promise<boolean> {
    return stat(this.file(digest)).then(
      () => true,
      () => false,
    );
  }

  /** All there are, whether a release has them or not. */
  async kept(): Promise<Digest[]> {
    const names = await readdir(this.#directory).catch(() => []);
    return names
      .filter((name) => /^[0-9a-f]{64}\.tar$/.test(name))
      .map((name): Digest => `sha256:${name.slice(0, -".tar".length)}`);
  }

  /** Forgets the content. Does nothing when it is absent. */
  async remove(digest: Digest): Promise<void> {
    await rm(this.file(digest), { force: true });
  }
}

function asSlipwayError(error: PackError, source: string): SlipwayError {
  const codes = {
    MISSING: "BUILD_FAILED",
    CORRUPT: "ARTIFACT_CORRUPT",
    TOO_LARGE: "ARTIFACT_TOO_LARGE",
    UNSAFE: "BUILD_FAILED",
    NO_SPACE: "DISK_FULL",
  } as const;
  return new SlipwayError(codes[error.code], {
    message: `${source} could not be packed: ${error.message}`,
    cause: error,
  });
}
