import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { mediaTypes } from "../../lib/oci/documents.ts";
import { Layout } from "../../lib/oci/layout.ts";
import { userInLayout, withUser } from "./image-user.ts";

it("reads the user of an image that was built, and knows none of an image for several platforms", async () => {
  const directory = await mkdtemp(join(tmpdir(), "slipway-user-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const layout = await Layout.open(directory);
  const limit = { maxBytes: 10_000 };
  const imageOf = async (config: object | undefined) => {
    const rootfs = { type: "layers", diff_ids: [] };
    const text = JSON.stringify({ architecture: "amd64", os: "linux", rootfs, config });
    const blob = await layout.write(Buffer.from(text), limit);
    const { digest } = await layout.add({
      mediaType: mediaTypes.manifest,
      config: { mediaType: mediaTypes.config, ...blob },
      layers: [],
    });
    return digest;
  };
  expect(await userInLayout(directory, await imageOf({ User: "1000:1000" }))).toBe("1000:1000");
  const digest = await imageOf(undefined);
  expect(await userInLayout(directory, digest)).toBe("");
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.index, manifests: [] }));
  const several = await layout.write(index, limit);
  expect(await userInLayout(directory, several.digest)).toBeNull();
  const image = { digest, id: digest, from: null };
  expect(withUser(image, null)).toEqual(image);
  expect(withUser(image, "")).toEqual({ ...image, user: "" });
});
