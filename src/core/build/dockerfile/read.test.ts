import { describe, expect, it } from "vitest";
import { readDockerfile } from "./read.ts";

describe("a Dockerfile, read before it is built:", () => {
  it("names the images it begins from, not its own stages", () => {
    const text = [
      "ARG NODE=22",
      "ARG IMAGE=node:${NODE}-slim",
      "FROM --platform=$BUILDPLATFORM ${IMAGE} AS Build",
      "FROM build AS test",
      "FROM scratch",
      "COPY --from=build /a /a",
      "COPY --from=0 /a /b",
      "COPY --chown=1 --from=busybox:1 /bin/sh /bin/sh",
    ].join("\n");
    expect(readDockerfile(text)).toMatchObject({
      bases: ["node:22-slim", "busybox:1"],
      stages: ["build", "test", "2"],
      needsBuildKit: [],
    });
    expect(readDockerfile(text, { NODE: "20" }).bases[0]).toBe("node:20-slim");
    expect(readDockerfile("ARG X\nFROM ${X:-alpine}").bases).toEqual(["alpine"]);
  });

  it("tells what only BuildKit can do, across lines that go on", () => {
    const text = [
      "# syntax=docker/dockerfile:1",
      "FROM a",
      "RUN --mount=type=secret,id=npm \\",
      "  # why",
      "  --mount=type=cache,target=/root/.npm npm ci",
      "RUN --mount=type=secret,target=/run/secrets/pip pip install",
      "COPY --link a b",
      "RUN <<EOF",
      "FROM inside",
      "EOF",
      "CMD echo",
    ].join("\n");
    const facts = readDockerfile(text);
    expect(facts.bases).toEqual(["a"]);
    expect(facts.secrets).toEqual(["npm", "pip"]);
    expect(facts.needsBuildKit).toEqual([
      "# syntax=docker/dockerfile:1",
      "RUN --mount=type=secret,id=npm",
      "RUN --mount=type=cache,target=/root/.npm",
      "RUN --mount=type=secret,target=/run/secrets/pip",
      "COPY --link",
      "RUN <<EOF",
    ]);
  });

  it("a shift and a word are not taken for a text inside", () => {
    expect(readDockerfile('FROM a\nRUN echo $((1<<2)) && cat <<<"x"\nCMD x')).toMatchObject({ needsBuildKit: [] });
  });

  it("another escape sign is honoured", () => {
    expect(readDockerfile("# escape=`\nFROM a\nRUN echo `\n FROM b").bases).toEqual(["a"]);
  });
});

it("knows what is run on the platform that the image is for", () => {
  const runs = (text: string) => readDockerfile(text).runs;
  expect(runs("FROM scratch\nCOPY a /a")).toBeNull();
  expect(runs("FROM alpine\nCOPY a /a\nRUN apk add curl")).toBe("RUN apk add curl");
  const compiled =
    "FROM --platform=$BUILDPLATFORM golang AS base\nRUN go version\nFROM base AS build\nRUN go build\nFROM scratch\nCOPY --from=build /a /a";
  expect(runs(compiled)).toBeNull();
  expect(runs(`${compiled}\nFROM --platform=$TARGETPLATFORM alpine\nRUN id`)).toBe("RUN id");
});
