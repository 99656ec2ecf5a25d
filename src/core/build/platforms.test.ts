import { expect, it } from "vitest";
import { platformRefusal } from "./platforms.ts";

const builder = { name: "docker:build-1", offered: ["linux/amd64", "linux/386"], foreign: true };
const api = { service: "api", runs: null };

it("lets pass what the builder runs, and what it only has to put files into", () => {
  expect(platformRefusal({ ...api, platforms: [] }, builder)).toBeNull();
  expect(platformRefusal({ ...api, platforms: ["linux/386", "linux/386"], runs: "RUN make" }, builder)).toBeNull();
  expect(platformRefusal({ ...api, platforms: ["linux/arm64"] }, builder)).toBeNull();
});

it("names the builder, the service, the platform, what the builder runs and what would have to run", () => {
  const wanted = { ...api, platforms: ["linux/s390x"], runs: "RUN make" };
  expect(platformRefusal(wanted, builder)?.toJSON()).toMatchObject({
    code: "IMAGE_WRONG_PLATFORM",
    message: "builder docker:build-1 cannot build api for linux/s390x",
    evidence: [
      ["it runs", "linux/amd64, linux/386"],
      ["for linux/s390x", "RUN make"],
    ],
    hint: expect.stringContaining("target.builder") as string,
  });
  const classic = { ...builder, foreign: false };
  expect(platformRefusal({ ...api, platforms: ["linux/s390x"] }, classic)?.code).toBe("IMAGE_WRONG_PLATFORM");
});

it("refuses several platforms in one image, also where each of them is offered", () => {
  const wanted = { ...api, platforms: ["linux/amd64", "linux/386"] };
  expect(platformRefusal(wanted, builder)?.message).toBe(
    "an engine builds for one platform at a time; api wants linux/amd64, linux/386",
  );
});
