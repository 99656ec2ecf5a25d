import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { serviceName } from "../../../core/ids.ts";
import { Secret } from "../../../core/secret.ts";
import { Layout } from "../../../lib/oci/layout.ts";
import type { Builder, BuildSpec, BuiltImage } from "../../../ports/builder.ts";
import { startEngine, type TestEngine } from "../../../testing/hosts/engine.ts";
import { engineRequest } from "../../../testing/hosts/engine-request.ts";
import { run } from "../../../testing/hosts/parts.ts";
import { loadBases } from "./bases.fixture.ts";
import { type DockerBuilderOptions, dockerBuilder } from "./index.ts";

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
  { version: "newest", how: "auto", containerdStore: true },
] as const)("the builder on docker $version, $how, containerd's store $containerdStore:", (engineOptions) => {
  const { version, how } = engineOptions;
  const containerdStore = "containerdStore" in engineOptions;
  // What a recipe makes differs between the classic builder and BuildKit, not between engines of one kind: one of each says it.
  const isOneOfItsKind = how === "classic" || (version === "newest" && !containerdStore);
  let engine: TestEngine;
  let home: string;
  let builder: Builder;
  let layout: Layout;
  let lines: string[] = [];

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "t3-builder-"));
    engine = await startEngine({ version, containerdStore });
    await loadBases(
      engine,
      "busybox",
      ...(isOneOfItsKind || containerdStore ? (["node"] as const) : []),
      ...(isOneOfItsKind ? (["python", "nginx"] as const) : []),
    );
    layout = await Layout.open(join(home, "layout"));
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
      layout: layout.directory,
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

  /** By its name there: an engine with containerd's store knows no ids of ours. */
  const newest = "slipway-build/shop/web:newest";

  async function inspect() {
    return JSON.parse(await engineRequest(engine, "GET", `/images/${newest}/json`)) as {
      Config: { Labels: Record<string, string>; User: string; Healthcheck?: { Test: string[] } };
      Size: number;
    };
  }
  /** SBOM and provenance, found as a registry would: by the image that they refer to. */
  async function documents({ image, sbom, provenance }: BuiltImage): Promise<string[]> {
    const referring = await layout.referrers(image.digest);
    const manifests = await Promise.all(referring.map(({ digest }) => layout.manifest(digest)));
    const kept = manifests.flatMap((each) => each.layers.map((layer) => layer.digest));
    expect(kept).toEqual(expect.arrayContaining([sbom, provenance]));
    return Promise.all(
      [sbom, provenance].map(async (digest) => String(await layout.readWhole(digest ?? image.digest))),
    );
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
        'FROM busybox:1\nARG WHO\nCOPY a.txt /a.txt\nRUN echo built-for-$WHO; echo $WHO > /who\nCMD ["cat", "/who"]',
      "a.txt": "a",
    };
    const first = await build(files, { args: { WHO: "acme" } });
    expect(said()).toContain("built-for-acme");
    const config = await inspect();
    expect(config.Config.Labels).toMatchObject(labels);
    expect(first.platforms).toEqual(["linux/amd64"]);
    const kept = join(layout.directory, "blobs/sha256", first.image.id.slice("sha256:".length));
    const { mtimeMs } = await stat(kept);
    const second = await build(files, { args: { WHO: "acme" } });
    expect(said()).not.toMatch(/^built-for-acme/m);
    expect(said()).toMatch(/cache/i);
    expect(second.image).toEqual(first.image);
    // What is kept already was not copied again.
    if (!("containerdStore" in engineOptions)) expect((await stat(kept)).mtimeMs).toBe(mtimeMs);
    const third = await build(files, { args: { WHO: "other" } });
    expect(third.image.digest).not.toBe(first.image.digest);
  });

  it("a secret is mounted where it is asked for, and is nowhere else; without BuildKit it is refused before anything is built", async () => {
    const value = `s3cret-${randomBytes(12).toString("hex")}`;
    const files = {
      Dockerfile:
        "FROM busybox:1\nRUN --mount=type=secret,id=npm test $(wc -c < /run/secrets/npm) -gt 10 && sha256sum /run/secrets/npm | cut -c1-64 > /sum\nCOPY . /app\n",
      "a.txt": "a",
    };
    const work = build(files, { secrets: { npm: new Secret(value) } });
    if (how === "classic") {
      expect(await failure(work)).toMatchObject({
        code: "BUILD_FAILED",
        message: expect.stringContaining("only BuildKit can keep out of the image") as string,
      });
      expect(lines).toEqual([]);
      return;
    }
    const built = await work;
    const everywhere = [
      said(),
      JSON.stringify(built),
      await engineRequest(engine, "GET", `/images/${newest}/json`),
      await engineRequest(engine, "GET", `/images/${newest}/history`),
      ...(await documents(built)),
    ];
    expect(everywhere.filter((text) => text.includes(value))).toEqual([]);
    // The layers are plain tars or gzip: both are looked through, and the engine's own data too.
    const sum = createHash("sha256").update(value).digest("hex");
    const contents = await layerContents(built);
    expect(contents.some((content) => content.includes(sum))).toBe(true);
    expect(contents.some((content) => content.includes(value))).toBe(false);
    expect(await grep(engine.directory, value)).toEqual([]);
  });

  it("a step that prints a secret is masked in lines and errors", async () => {
    if (how === "classic") return expect((await builder.can(new AbortController().signal)).secrets).toBe(false);
    const value = `s3cret-${randomBytes(12).toString("hex")}`;
    const dockerfile = "FROM busybox:1\nRUN --mount=type=secret,id=npm cat /run/secrets/npm; exit 1\n";
    const error = await failure(build({ Dockerfile: dockerfile }, { secrets: { npm: new Secret(value) } }));
    expect(said()).toContain("[secret]");
    expect(said() + JSON.stringify(error) + String(error)).not.toContain(value);
  });

  it("a secret that is also an arg is refused, and one that is not given is named", async () => {
    const dockerfile = "FROM busybox:1\nRUN --mount=type=secret,id=absent,required=true cat /run/secrets/absent\n";
    const args = { TOKEN: "x-topsecret-y" };
    expect(
      await failure(build({ Dockerfile: "FROM busybox:1" }, { args, secrets: { npm: new Secret("topsecret") } })),
    ).toMatchObject({ code: "BUILD_FAILED", message: expect.stringContaining("TOKEN") as string });
    const error = await failure(build({ Dockerfile: dockerfile }));
    expect(error).toMatchObject({ code: "BUILD_FAILED" });
    expect(JSON.stringify(error)).toContain(how === "classic" ? "needs BuildKit" : "absent");
  });

  it("a build that fails shows its last lines", async () => {
    const failing = "FROM busybox:1\nRUN for i in $(seq 40); do echo line-$i; done; echo the-reason >&2; exit 3\n";
    const error = await failure(build({ Dockerfile: failing }));
    expect(error).toMatchObject({ code: "BUILD_FAILED", message: "the build of web on build-1 failed" });
    const evidence = JSON.stringify(error);
    expect(evidence).toContain("the-reason");
    expect(evidence).toContain("line-40");
    expect(evidence).not.toContain('line-2"');
  });

  it("a Dockerfile that is none, a base image that is nowhere and a platform that is not offered are told", async () => {
    expect(await failure(build({ Dockerfile: "FROM busybox:1\nNONSENSE\n" }))).toMatchObject({
      code: "BUILD_FAILED",
    });
    expect(await failure(build({ "a.txt": "" }, { dockerfile: "docker/Dockerfile" }))).toMatchObject({
      code: "BUILD_FAILED",
      message: "there is no Dockerfile docker/Dockerfile for web in the checkout",
    });
    const runs = "FROM busybox:1\nRUN id\n";
    expect(await failure(build({ Dockerfile: runs }, { platforms: ["linux/s390x"] }))).toMatchObject({
      code: "IMAGE_WRONG_PLATFORM",
      message: "builder docker:build-1 cannot build web for linux/s390x",
    });
    expect(lines).toEqual([]);
    expect(
      await failure(build({ Dockerfile: "FROM scratch" }, { platforms: ["linux/amd64", "linux/arm64"] })),
    ).toMatchObject({ code: "IMAGE_WRONG_PLATFORM" });
  });

  it("BuildKit builds for another platform where nothing is run, and the image says which; classic is refused", async () => {
    const files = { Dockerfile: "FROM scratch\nCOPY a.txt /\n", "a.txt": "a" };
    if (how === "classic")
      return expect(await failure(build(files, { platforms: ["linux/s390x"] }))).toMatchObject({
        code: "IMAGE_WRONG_PLATFORM",
      });
    const other = await build(files, { platforms: ["linux/s390x"] });
    expect(other.platforms).toEqual(["linux/s390x"]);
    const { config } = await layout.manifest(other.image.digest);
    const kept: unknown = JSON.parse(String(await layout.readWhole(config.digest)));
    expect(kept).toMatchObject({ os: "linux", architecture: "s390x" });
    // Where nothing is named it is the builder's own again.
    expect((await build(files)).platforms).toEqual(["linux/amd64"]);
  });

  it("sends what .dockerignore leaves, links as links, and nothing from outside the context", async () => {
    const directory = await context({
      Dockerfile: "FROM busybox:1\nCOPY . /sent/\nRUN cd /sent && find . | sort && cat outside || true\n",
      ".dockerignore": "# secrets\n*.key\n**/logs\ndocs\n!docs/README.md  \nDockerfile\n",
      "app.js": "1",
      "ü ñ.txt": "name",
      "tls.key": "k",
      "deep/logs/a.log": "l",
      "deep/b.txt": "b",
      "deep-er.txt": "d",
      "docs/README.md": "r",
      "docs/other.md": "o",
      [`${"long/".repeat(30)}name.txt`]: "long",
    });
    await writeFile(join(home, "outside-secret"), "from-this-machine");
    await symlink(join(home, "outside-secret"), join(directory, "outside"));
    await symlink("../..", join(directory, "deep", "up"));
    await symlink("app.js", join(directory, "inside"));
    await build(directory);
    // The classic builder takes the ignore file out together with a Dockerfile that is not in the context.
    const sent = lines
      .filter((line) => line.startsWith("./") && line !== "./.dockerignore")
      .map((line) => line.slice(2));
    expect(sent.filter((path) => !path.startsWith("long"))).toEqual(
      [
        "app.js",
        "deep",
        "deep-er.txt",
        "deep/b.txt",
        "deep/up",
        "docs",
        "docs/README.md",
        "inside",
        "outside",
        "ü ñ.txt",
      ].sort(byBytes),
    );
    expect(sent).toContain(`${"long/".repeat(30)}name.txt`);
    expect(said()).not.toContain("from-this-machine");
  });

  it("a Dockerfile may be elsewhere in the checkout, with its own ignore file, and nowhere else", async () => {
    const checkout = await context({
      "docker/web.Dockerfile": "FROM busybox:1\nCOPY . /sent/\nRUN cd /sent && find . | sort\n",
      "docker/web.Dockerfile.dockerignore": "b.txt",
      "apps/web/.dockerignore": "a.txt",
      "apps/web/a.txt": "a",
      "apps/web/b.txt": "b",
    });
    const spec = { dockerfile: "../../docker/web.Dockerfile", checkout };
    await build(join(checkout, "apps/web"), spec);
    expect(lines).toContain("./a.txt");
    expect(lines).not.toContain("./b.txt");
    expect(lines.filter((line) => line.includes("slipway-build") && line.startsWith("./"))).toEqual([]);
    await symlink("/etc/passwd", join(checkout, "docker/link"));
    for (const dockerfile of ["../../docker/link", "../../../../etc/passwd"]) {
      expect(await failure(build(join(checkout, "apps/web"), { ...spec, dockerfile }))).toMatchObject({
        code: "BUILD_FAILED",
        message: expect.stringContaining("there is no Dockerfile") as string,
      });
    }
  });

  it("a build that is called off or takes too long ends, also on the engine", async () => {
    const endless = { Dockerfile: "FROM busybox:1\nRUN echo begun-$RANDOM; sleep 600\n" };
    const late = failure(build(endless, { timeoutMs: 4_000 }));
    expect(await late).toMatchObject({
      code: "BUILD_FAILED",
      message: expect.stringContaining("its timeout") as string,
    });
    await untilGone("sleep\u0000600");
    const control = new AbortController();
    const work = failure(
      builder.build(
        {
          product: "shop",
          service: serviceName("web"),
          context: await context(endless),
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
        },
        (line) => line.startsWith("begun-") && control.abort(new Error("called off")),
        control.signal,
      ),
    );
    expect(await work).toMatchObject({ message: "called off" });
    await untilGone("sleep\u0000600");
  });

  // With BuildKit on either store, and without: an older engine's BuildKit is the same builder.
  it.runIf(isOneOfItsKind || containerdStore)(
    "a Node program without a Dockerfile runs, is healthy, is nobody, and has only what it needs",
    async () => {
      const built = await build(await nodeProduct(home, context), {
        dockerfile: null,
        port: 3000,
        healthPath: "/up",
      });
      const config = await inspect();
      expect(config.Config).toMatchObject({
        User: "1000:1000",
        Healthcheck: { Test: ["CMD", "node", "-e", expect.anything()] },
      });
      await runs(async (ask) => {
        expect(await ask("/")).toBe("hello from vendored, uid 1000");
        expect(await ask("/files")).toBe("dist node_modules package-lock.json package.json vendor");
      });
      const sbom = JSON.parse((await documents(built))[0] ?? "") as { components: { purl?: string }[] };
      const purls = sbom.components.map((each) => each.purl);
      expect(purls).toContain("pkg:npm/greeting@1.0.0");
      expect(purls).toContain("pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64&distro=debian-12");
      expect(purls.filter((purl) => purl?.includes("gone") || purl?.includes("only-to-build"))).toEqual([]);
      const statement = JSON.parse((await documents(built))[1] ?? "") as Record<string, unknown>;
      expect(statement).toMatchObject({
        _type: "https://in-toto.io/Statement/v1",
        predicateType: "https://slsa.dev/provenance/v1",
        subject: [{ name: "shop/web", digest: { sha256: built.image.digest.slice(7) } }],
        predicate: {
          buildDefinition: {
            resolvedDependencies: [
              {
                uri: "git+https://github.com/acme/shop",
                digest: { gitCommit: labels["org.opencontainers.image.revision"] },
              },
              { uri: expect.stringContaining("pkg:docker/node%3A22-slim") as string },
            ],
          },
        },
      });
    },
  );

  if (isOneOfItsKind) {
    it("a Python program without a Dockerfile runs, is healthy and is nobody", async () => {
      const built = await build(await pythonProduct(context), {
        dockerfile: null,
        command: ["python3", "app.py"],
        port: 8000,
        healthPath: "/up",
      });
      const config = await inspect();
      expect(config.Config.User).toBe("1000:1000");
      await runs(async (ask) => expect(await ask("/")).toBe("hello from a wheel, uid 1000"));
      const sbom = (await documents(built))[0];
      expect(sbom).toContain("pkg:pypi/greeting@1.0");
    });

    it("a site without a Dockerfile is served, is healthy and is nobody", async () => {
      const site = {
        "index.html": "<h1>home</h1>",
        "about.html": "about",
        "app.3f9c2b1a.js": "1",
        "assets/index-Dk3f9aQx.css": "2",
        "report2024.pdf": "3",
        ".git/config": "hidden",
        "slipway.config.ts": "export default {}",
      };
      await build(site, { dockerfile: null, port: 8080, site: { directory: ".", fallback: "index.html" } });
      const config = await inspect();
      expect(config.Config.User).toBe("101:101");
      await runs(async (ask, head) => {
        expect(await ask("/")).toBe("<h1>home</h1>");
        expect(await ask("/about")).toBe("about");
        expect(await ask("/some/page")).toBe("<h1>home</h1>");
        expect(await head("/app.3f9c2b1a.js")).toContain("immutable");
        expect(await head("/assets/index-Dk3f9aQx.css")).toContain("immutable");
        expect(await head("/report2024.pdf")).toContain("no-cache");
        expect(await head("/gone.js")).toContain("404");
        expect(await head("/.git/config")).toContain("404");
        expect(await head("/.slipway/health")).toContain("200");
      });
    });
  }

  it("keeps one image a service on the engine, and none that is only a name", async () => {
    const images = JSON.parse(await engineRequest(engine, "GET", "/images/json")) as { RepoTags: string[] | null }[];
    const names = images.flatMap((each) => each.RepoTags ?? []);
    const kept = names
      .filter((name) => name.startsWith("slipway-build/"))
      .map((name) => name.replace(/-stage-\d$/, ""));
    expect([...new Set(kept)]).toEqual([newest]);
    const dangling = encodeURIComponent(JSON.stringify({ dangling: ["true"] }));
    expect(JSON.parse(await engineRequest(engine, "GET", `/images/json?filters=${dangling}`))).toEqual([]);
    expect(JSON.parse(await engineRequest(engine, "GET", "/containers/json?all=1"))).toEqual([]);
  });

  type Ask = (path: string) => Promise<string>;
  /** Runs it as a production container would: nothing but /tmp is writable, no capability, the engine's own HEALTHCHECK passes. */
  async function runs(look: (body: Ask, head: Ask) => Promise<void>): Promise<void> {
    const created = await engineRequest(engine, "POST", "/containers/create", {
      type: "application/json",
      content: JSON.stringify({
        Image: newest,
        // The image's own check, without the ten seconds before the first one.
        Healthcheck: { Interval: 500_000_000 },
        HostConfig: {
          ReadonlyRootfs: true,
          Tmpfs: { "/tmp": "" },
          CapDrop: ["ALL"],
          SecurityOpt: ["no-new-privileges"],
        },
      }),
    });
    const { Id: id } = JSON.parse(created) as { Id: string };
    try {
      await engineRequest(engine, "POST", `/containers/${id}/start`);
      await healthy(id);
      const shown = await state(id);
      const port = Object.keys(shown.Config.ExposedPorts)[0]?.replace("/tcp", "");
      const address = `http://${Object.values(shown.NetworkSettings.Networks)[0]?.IPAddress}:${port}`;
      await look(
        async (path) => (await (await fetch(address + path)).text()).trim(),
        async (path) => {
          const answer = await fetch(address + path, { method: "HEAD" });
          return `${answer.status} ${answer.headers.get("cache-control")}`;
        },
      );
    } finally {
      await engineRequest(engine, "DELETE", `/containers/${id}?force=1&v=1`);
    }
  }

  type State = {
    State: { Running: boolean; Health?: { Status: string; Log?: unknown[] } };
    Config: { ExposedPorts: Record<string, unknown> };
    NetworkSettings: { Networks: Record<string, { IPAddress: string }> };
  };
  const state = async (id: string) => JSON.parse(await engineRequest(engine, "GET", `/containers/${id}/json`)) as State;

  /** The engine says when, by its events. */
  async function healthy(id: string): Promise<void> {
    const filters = encodeURIComponent(JSON.stringify({ container: [id], event: ["health_status", "die"] }));
    const until = Math.ceil(Date.now() / 1000) + 40;
    const since = Math.floor(Date.now() / 1000) - 60;
    await new Promise<void>((resolve, reject) => {
      const call = request(
        { socketPath: engine.socket, path: `/events?since=${since}&until=${until}&filters=${filters}` },
        (answer) => {
          answer.setEncoding("utf8").on("data", (text: string) => {
            if (text.includes("health_status: healthy")) resolve(call.destroy() && undefined);
            else if (text.includes('"die"')) reject(new Error("the container ended"));
          });
          answer.on("end", () => reject(new Error("the container was not healthy in time")));
          answer.on("error", () => undefined);
        },
      );
      call.on("error", reject).end();
    }).catch(async (error: unknown) => {
      const logs = await engineRequest(engine, "GET", `/containers/${id}/logs?stdout=1&stderr=1`);
      throw new Error(`${String(error)}\n${logs}\n${JSON.stringify((await state(id)).State)}`);
    });
  }
});

async function layerContents({ image }: BuiltImage): Promise<Buffer[]> {
  const layout = await Layout.open(image.layout ?? "");
  const { layers } = await layout.manifest(image.digest);
  const contents = await Promise.all(layers.map(({ digest }) => layout.readWhole(digest, 1024 ** 3)));
  return contents.map((content) => (content[0] === 0x1f && content[1] === 0x8b ? gunzipSync(content) : content));
}

/** Files below the directory that hold the text. */
async function grep(directory: string, text: string): Promise<string[]> {
  return run(["grep", "-rlaF", "-e", text, directory]).then(
    (found) => found.split("\n").filter((line) => line !== ""),
    () => [],
  );
}

/** Waits until no process of this machine has the command line; ended by the test's own time limit. */
async function untilGone(commandLine: string): Promise<void> {
  for (;;) {
    const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
    const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
    if (!lines.some((line) => line.startsWith(commandLine))) return;
    await setTimeout(100);
  }
}

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

type Context = (files: Readonly<Record<string, string | Buffer>>) => Promise<string>;

/** With a dependency that is a file of the product, so that nothing has to be fetched, and one that only the build needs. */
async function nodeProduct(home: string, context: Context): Promise<string> {
  const packed: Record<string, Buffer> = {};
  for (const [name, code] of [
    ["greeting", "module.exports = 'hello from vendored';"],
    [
      "only-to-build",
      "require('fs').mkdirSync('dist', {recursive: true}); require('fs').copyFileSync('src/server.js', 'dist/server.js');",
    ],
  ] as const) {
    const source = await context({
      "package/package.json": JSON.stringify({ name, version: "1.0.0", main: "index.js", license: "MIT" }),
      "package/index.js": code,
    });
    await run(["tar", "-czf", join(home, `${name}.tgz`), "-C", source, "package"]);
    packed[name] = await readFile(join(home, `${name}.tgz`));
  }
  const entry = (name: string, dev: boolean) => ({
    version: "1.0.0",
    resolved: `file:vendor/${name}.tgz`,
    integrity: `sha512-${createHash("sha512")
      .update(packed[name] ?? "")
      .digest("base64")}`,
    ...(dev && { dev: true }),
  });
  const manifest = {
    name: "web",
    version: "1.0.0",
    scripts: { build: "node -e \"require('only-to-build')\" && rm -r src", start: "node dist/server.js" },
    dependencies: { greeting: "file:vendor/greeting.tgz" },
    devDependencies: { "only-to-build": "file:vendor/only-to-build.tgz" },
  };
  const lock = {
    name: "web",
    version: "1.0.0",
    lockfileVersion: 3,
    requires: true,
    packages: {
      "": {
        name: "web",
        version: "1.0.0",
        dependencies: manifest.dependencies,
        devDependencies: manifest.devDependencies,
      },
      "node_modules/greeting": entry("greeting", false),
      "node_modules/only-to-build": entry("only-to-build", true),
    },
  };
  const server = `require("node:http").createServer((request, response) => {
    if (request.url === "/files") return response.end(require("node:fs").readdirSync(".").join(" "));
    response.end(request.url === "/up" ? "ok" : require("greeting") + ", uid " + process.getuid());
  }).listen(process.env.PORT);`;
  return context({
    "package.json": JSON.stringify(manifest),
    "package-lock.json": JSON.stringify(lock),
    "src/server.js": server,
    "vendor/greeting.tgz": packed.greeting ?? "",
    "vendor/only-to-build.tgz": packed["only-to-build"] ?? "",
    ".env": "NOT=forthis",
    "node_modules/stale/index.js": "not sent",
  });
}

async function pythonProduct(context: Context): Promise<string> {
  const directory = await context({
    "requirements.txt": "./vendor/greeting-1.0-py3-none-any.whl\n",
    "vendor/.keep": "",
    "app.py": `import http.server, os, greeting
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
        self.wfile.write(f"{greeting.words}, uid {os.getuid()}".encode())
http.server.HTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
`,
  });
  const pack = `import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    wheel.writestr("greeting.py", "words = 'hello from a wheel'")
    wheel.writestr("greeting-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: greeting\\nVersion: 1.0\\n")
    wheel.writestr("greeting-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr("greeting-1.0.dist-info/RECORD", "")
`;
  await run(["python3", "-c", pack, join(directory, "vendor/greeting-1.0-py3-none-any.whl")]);
  return directory;
}
