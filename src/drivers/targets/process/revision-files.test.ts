import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, it, onTestFinished } from "vitest";
import { revisionId } from "../../../core/ids.ts";
import { packDirectory } from "../../../lib/pack.ts";
import type { DirectoryArtifact } from "../../../ports/target.ts";
import { RevisionFiles, type RevisionFilesOptions } from "./revision-files.ts";

const revision = revisionId("rev_1");
const { signal } = new AbortController();
const never = 3_600_000;

let directory: string;
let artifact: DirectoryArtifact;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "slipway-files-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  mkdirSync(join(directory, "source"));
  writeFileSync(join(directory, "source", "web.js"), "whole");
  const file = join(directory, "artifact.tar");
  const { digest } = await packDirectory(join(directory, "source"), file);
  artifact = { kind: "directory", digest: digest as DirectoryArtifact["digest"], file };
});

/** The files as a control plane of that boot finds them. */
function files(options: RevisionFilesOptions): RevisionFiles {
  const made = new RevisionFiles(directory, options);
  onTestFinished(() => made.close());
  return made;
}

const program = () => join(directory, "revisions", revision, "web.js");
const mark = () => join(directory, "revisions", `${revision}.unsettled`);

it("a revision that the disk may not have whole is unpacked again after a loss of power, and only then", async () => {
  await files({ boot: "first", settleMs: never }).unpack(revision, artifact, signal);
  writeFileSync(program(), "");
  // Another control plane of the same boot: what is there is what the programs have written since.
  await files({ boot: "first", settleMs: never }).unpack(revision, artifact, signal);
  expect(readFileSync(program(), "utf8")).toBe("");
  await files({ boot: "second", settleMs: never }).unpack(revision, artifact, signal);
  expect(readFileSync(program(), "utf8")).toBe("whole");
});

it("one that the disk has stays as it is over reboots", async () => {
  await files({ boot: "first", settleMs: 0 }).unpack(revision, artifact, signal);
  await expect.poll(() => existsSync(mark()), { timeout: 60_000 }).toBe(false);
  writeFileSync(program(), "with a cache");
  await files({ boot: "second" }).unpack(revision, artifact, signal);
  expect(readFileSync(program(), "utf8")).toBe("with a cache");
});

it("nothing is left of one that is removed before the disk has it", async () => {
  const made = files({ boot: "first", settleMs: never });
  await made.unpack(revision, artifact, signal);
  expect(existsSync(mark())).toBe(true);
  await made.remove(revision);
  expect([existsSync(mark()), existsSync(program())]).toEqual([false, false]);
});
