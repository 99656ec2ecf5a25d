import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { serviceName } from "../../../core/ids.ts";
import { Layout } from "../../../lib/oci/layout.ts";
import type { Builder, BuildSpec } from "../../../ports/builder.ts";
import { startHosts, type TestHost, type TestHosts } from "../../../testing/hosts/hosts.ts";
import { loadBases } from "./bases.fixture.ts";
import { dockerBuilder } from "./index.ts";

describe("a build host that is reached by ssh:", () => {
  let machines: TestHosts;
  let host: TestHost;
  let home: string;
  let builder: Builder;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "t3-b-"));
    machines = await startHosts(1);
    const [first] = machines.hosts;
    if (first === undefined) throw new Error("no host was started");
    host = first;
    await loadBases(host, "busybox");
    builder = dockerBuilder({
      host: host.name,
      engine: { url: host.url, ssh: { controlDirectory: join(home, "ssh"), configFile: host.sshConfig } },
      how: "auto",
      layout: join(home, "layout"),
      version: "0.1.0",
      now: Date.now,
    });
  });

  afterAll(async () => {
    await builder?.close();
    await machines?.down();
    await rm(home, { recursive: true, force: true });
  });

  async function spec(dockerfile: string): Promise<BuildSpec> {
    const context = await mkdtemp(join(home, "context-"));
    await writeFile(join(context, "Dockerfile"), dockerfile);
    return {
      product: "shop",
      service: serviceName("web"),
      context,
      dockerfile: "Dockerfile",
      stage: null,
      args: {},
      secrets: {},
      platforms: [],
      labels: {},
      command: [],
      port: null,
      healthPath: null,
      timeoutMs: 100_000,
    };
  }

  it("builds there and keeps the image here", async () => {
    const lines: string[] = [];
    const { image } = await builder.build(
      await spec("FROM busybox:1\nCOPY . /app\nRUN echo there-$((40 + 2))\n"),
      (line) => lines.push(line),
      new AbortController().signal,
    );
    expect(lines.join("\n")).toContain("there-42");
    const layout = await Layout.open(image.layout ?? "");
    expect((await layout.manifest(image.digest)).config.digest).toBe(image.id);
    expect(await host.run(["docker", "images", "--no-trunc", "--quiet"])).toContain(image.id);
  });

  it("an engine that ends in the middle of a build is a host that is away, and the next build goes through", async () => {
    const control = new AbortController();
    let stopped: Promise<void> | null = null;
    const failed = await builder
      .build(
        await spec("FROM busybox:1\nRUN echo begun-$((40 + 2)); sleep 500\n"),
        (line) => {
          if (line === "begun-42") stopped = host.restartEngine("kill");
        },
        control.signal,
      )
      .catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: "HOST_AWAY", message: "the engine of h1 does not answer" });
    await stopped;
    const again = await spec("FROM busybox:1\nRUN echo again\n");
    expect((await builder.build(again, () => undefined, control.signal)).image.kind).toBe("image");
  });

  it("a host that is away is named", async () => {
    const away = dockerBuilder({
      host: "build-9",
      engine: { url: "unix:///nowhere/docker.sock" },
      how: "auto",
      layout: join(home, "layout"),
      version: "0.1.0",
      now: Date.now,
    });
    await expect(away.can(new AbortController().signal)).rejects.toMatchObject({
      code: "HOST_AWAY",
      message: "the engine of build-9 does not answer",
    });
    await away.close();
  });
});
