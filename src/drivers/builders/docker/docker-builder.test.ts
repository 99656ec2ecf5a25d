import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { serviceName } from "../../../core/ids.ts";
import { Secret } from "../../../core/secret.ts";
import type { Builder, BuildSpec, BuiltImage } from "../../../ports/builder.ts";
import { startEngine, type TestEngine } from "../../../testing/hosts/engine.ts";
import { engineRequest } from "../../../testing/hosts/engine-request.ts";
import { loadBases } from "./bases.fixture.ts";
import { type DockerBuilderOptions, dockerBuilder } from "./index.ts";
import { plainStore } from "./store.fixture.ts";

const hundredYears = 50_000_000;
const labels = {
  "org.opencontainers.image.created": "2026-11-20T08:00:00Z",
  "org.opencontainers.image.revision": "3f9c2b1a77aa77aa77aa77aa77aa77aa77aa77aa",
  "org.opencontainers.image.source": "https://github.com/acme/shop",
  "org.opencontainers.image.version": "1.4.0",
};

describe.each([
  { version: "20.10", how: "classic" },
  { version: "20.10", how: "auto" },
  { version: "newest", how: "auto" },
] as const)("the builder on docker $version, $how:", ({ version, how }) => {
  let engine: TestEngine;
  let home: string;
  let builder: Builder;
  let store: ReturnType<typeof plainStore>;
  let lines: string[] = [];

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "t3-builder-"));
    engine = await startEngine({ version });
    await loadBases(engine, "node", "python", "nginx");
    store = plainStore(join(home, "layout"));
    builder = make({});
  });

  afterAll(async () => {
    await builder?.close();
    await engine?.down();
    await rm(home, { recursive: true, force: true });
  });

  function make(options: Partial<DockerBuilderOptions>): Builder {
    return dockerBuilder({
      host: "build-1",
      engine: { url: engine.url },
      how,
      images: store,
      version: "0.1.0",
      now: Date.now,
      ...options,
    });
  }

  async function context(files: Readonly<Record<string, string | Buffer>>): Promise<string> {
    const directory = await mkdtemp(join(home, "context-"));
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(directory, path)), { recursive: true });
      await writeFile(join(directory, path), content);
    }
    return directory;
  }

  async function build(
    files: Readonly<Record<string, string | Buffer>> | string,
    spec: Partial<BuildSpec> = {},
    signal: AbortSignal = new AbortController().signal,
  ): Promise<BuiltImage> {
    lines = [];
    return builder.build(
      {
        product: "shop",
        service: serviceName("web"),
        context: typeof files === "string" ? files : await context(files),
        dockerfile: "Dockerfile",
        stage: null,
        args: {},
        secrets: {},
        platforms: [],
        labels,
        command: [],
        port: null,
        healthPath: null,
        timeoutMs: 120_000,
        ...spec,
      },
      (line) => lines.push(line),
      signal,
    );
  }

  async function inspect(image: BuiltImage) {
    return JSON.parse(await engineRequest(engine, "GET", `/images/${image.image.id}/json`)) as {
      Config: { Labels: Record<string, string>; User: string; Healthcheck?: { Test: string[] } };
      Size: number;
    };
  }
  const failure = (work: Promise<unknown>) =>
    work.then(
      () => null,
      (error: unknown) => error,
    );
  const said = (): string => lines.join("\n");

  it("says what it can", async () => {
    const can = await builder.can(new AbortController().signal);
    expect(can).toMatchObject({ secrets: how === "auto", cacheMounts: how === "auto" });
    expect(can.platforms[0]).toBe("linux/amd64");
  });

  it("builds a Dockerfile with its args and labels, and takes what is unchanged from the cache", async () => {
    const files = {
      Dockerfile:
        'FROM node:22-slim\nARG WHO\nCOPY a.txt /a.txt\nRUN echo built-for-$WHO; echo $WHO > /who\nCMD ["cat", "/who"]',
      "a.txt": "a",
    };
    const first = await build(files, { args: { WHO: "acme" } });
    expect(said()).toContain("built-for-acme");
    const config = await inspect(first);
    expect(config.Config.Labels).toMatchObject(labels);
    expect(first.platforms).toEqual(["linux/amd64"]);
    const second = await build(files, { args: { WHO: "acme" } });
    expect(said()).not.toMatch(/^built-for-acme/m);
    expect(said()).toMatch(/cache/i);
    expect(second.image.digest).toBe(first.image.digest);
    const third = await build(files, { args: { WHO: "other" } });
    expect(third.image.digest).not.toBe(first.image.digest);
  });
});
void [
  hundredYears,
  createHash,
  execFileSync,
  createReadStream,
  readFileSync,
  symlink,
  gunzipSync,
  Secret,
  engineRequest,
];
