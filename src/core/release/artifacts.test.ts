import { expect, test } from "vitest";
import type { Digest } from "../ids.ts";
import { serviceName } from "../ids.ts";
import {
  accessoryKey,
  builtImagesOf,
  directoriesOf,
  identityOf,
  parseArtifacts,
  type ReleaseArtifacts,
  writeArtifacts,
} from "./artifacts.ts";

const digest = (letter: string): Digest => `sha256:${letter.repeat(64)}`;
const artifacts: ReleaseArtifacts = {
  worker: { directory: digest("a"), image: null },
  web: { directory: digest("b"), image: { digest: digest("c"), id: digest("d"), from: null } },
  [accessoryKey("redis")]: { directory: null, image: { digest: digest("e"), id: digest("e"), from: "redis" } },
};

test("what a row keeps is read back the same", () => {
  expect(parseArtifacts(writeArtifacts(artifacts))).toEqual(artifacts);
});

test("a row of an older release, with a digest a service, is packed directories", () => {
  expect(parseArtifacts(JSON.stringify({ web: digest("b") }))).toEqual({
    web: { directory: digest("b"), image: null },
  });
});

test("only what was made here is ours to keep: an image that was there already is not", () => {
  expect(directoriesOf(artifacts)).toEqual([digest("a"), digest("b")]);
  expect(builtImagesOf(artifacts)).toEqual([digest("c")]);
});

test("the same code has the same identity, and anything else has not", () => {
  const other = { ...artifacts, web: { directory: digest("b"), image: null } };
  expect(identityOf(artifacts, serviceName("worker"))).toBe(identityOf(other, serviceName("worker")));
  expect(identityOf(artifacts, serviceName("web"))).not.toBe(identityOf(other, serviceName("web")));
});
