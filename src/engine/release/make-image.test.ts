import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { sourceLabel, titleLabel } from "../../core/build/labels.ts";
import { type Digest, runId, type ServiceName } from "../../core/ids.ts";
import type { ServiceInput } from "../../core/product/input.ts";
import { resolveEnvironment } from "../../core/product/resolve.ts";
import type { ReleasedImage } from "../../core/release/artifacts.ts";
import { Secret } from "../../core/secret.ts";
import type { Builder, BuildSpec } from "../../ports/builder.ts";
import type { Registry } from "../../ports/registry.ts";
import type { Origin } from "../../ports/source.ts";
import type { World } from "../world.ts";
import { workspaceOf } from "./build-log.ts";
import { servicesOf } from "./config.ts";
import { makeImage } from "./make-image.ts";
import { Transfers } from "./transfers.ts";

const signal = new AbortController().signal;
const run = runId("run_1");

/** Makes the images of a release of these services one after the other, with a builder that only takes note. */
async function making(
  services: Record<string, ServiceInput>,
  {
    dockerfile,
    of = {},
    origin = { url: null, defaultBranch: null },
  }: {
    readonly dockerfile: boolean;
    readonly of?: Partial<Parameters<typeof makeImage>[1]["commit"]>;
    readonly origin?: Origin;
  },
) {
  const runsDirectory = await mkdtemp(join(tmpdir(), "slipway-make-image-"));
  onTestFinished(() => rm(runsDirectory, { recursive: true, force: true }));
  const workspace = workspaceOf({ runsDirectory }, "run_1");
  await mkdir(join(workspace.source, "app"), { recursive: true });
  if (dockerfile) await writeFile(join(workspace.source, "app", "Dockerfile"), "FROM scratch\n");
  const built: BuildSpec[] = [];
  const pushed: string[] = [];
  const underWay: string[] = [];
  const transfers = new Transfers(() => {});
  const builder: Builder = {
    name: "takes note",
    can: async () => ({ secrets: true, platforms: [], foreign: false, cacheMounts: true }),
    check: async () => {},
    build: async (spec, onLine) => {
      built.push(spec);
      onLine("built");
      const digest: Digest = `sha256:${built.length.toString(16).padStart(64, "0")}`;
      const image = { kind: "image" as const, digest, id: digest, repository: null, layout: null };
      return { image, bytes: 1, platforms: [], dockerfile: "", sbom: null, provenance: null };
    },
    close: async () => {},
  };
  const world = {
    images: {
      builder: () => builder,
      registry: () => ({
        push: async (...[, , tags, onProgress]: Parameters<Registry["push"]>) => {
          pushed.push(...tags);
          onProgress({ doneBytes: 1, totalBytes: 2 });
          underWay.push(...transfers.of(run).map(({ to, doneBytes }) => `${to} ${doneBytes}`));
        },
      }),
      secret: (name: string) => (name === "KNOWN" ? new Secret("x") : null),
    },
    sealed: { open: (text: string) => text },
    source: { origin: async () => origin },
    transfers,
  } as unknown as World;
  const product = {
    name: "shop",
    services,
    target: { driver: "docker" as const, hosts: ["unix:///run/docker.sock"] },
    registry: { repository: "ghcr.io/acme/shop" },
    environments: { production: {} },
  };
  const config = { product: "shop", environments: { production: resolveEnvironment(product, "production") } };
  const written = { hash: "c0ffee", at: 0, author: "a", email: "a@example.org", subject: "s", body: "" };
  const commit = { ...written, branch: null, dirty: false, nightlyAt: null, ...of };
  const made = new Map<ServiceName, ReleasedImage>();
  const all = servicesOf(config);
  for (const service of all) {
    const making = { workspace, prefix: "", config, service, repository: "/here", run, commit, made };
    made.set(service.name, await makeImage(world, making, signal));
  }
  return {
    built: built.map(({ service }) => service),
    titles: built.map(({ labels }) => labels[titleLabel]),
    digests: all.map(({ name }) => made.get(name)?.digest.at(-1)).join(""),
    sources: built.map(({ labels }) => labels[sourceLabel]),
    pushed,
    underWay: [...underWay, ...transfers.of(run).map(() => "left")],
    log: await readFile(workspace.log, "utf8"),
  };
}

const worker = (more: Partial<ServiceInput> = {}): ServiceInput => ({
  kind: "worker",
  path: "app",
  command: ["run"],
  ...more,
});

it("services of one directory, Dockerfile, stage and arguments have one image, however they are started", async () => {
  const seen = await making({ mail: worker(), import: worker({ command: ["other"] }) }, { dockerfile: true });
  expect(seen).toMatchObject({ built: ["mail"], titles: ["shop"], digests: "11" });
  expect(seen.underWay).toEqual(["ghcr.io/acme/shop/mail 1", "ghcr.io/acme/shop/import 1"]);
  expect(seen.log).toBe("mail | built\nimport | the image of mail: same directory, Dockerfile, stage and arguments\n");
});

it("what makes another image is built by itself", async () => {
  const different = {
    mail: worker(),
    args: worker({ image: { args: { A: "1" } } }),
    stage: worker({ image: { stage: "web" } }),
    secrets: worker({ image: { secrets: ["KNOWN"] } }),
    again: worker({ image: { args: { A: "1" } } }),
  };
  expect(await making(different, { dockerfile: true })).toMatchObject({
    built: ["mail", "args", "stage", "secrets"],
    titles: ["shop/mail", "shop", "shop/stage", "shop/secrets"],
    digests: "12342",
  });
});

it("a Dockerfile that is made for a service says how it is started, so another command is another image", async () => {
  const services = { mail: worker(), import: worker({ command: ["other"] }), twin: worker() };
  expect(await making(services, { dockerfile: false })).toMatchObject({ built: ["mail", "import"], digests: "121" });
});

it("an image says where its commit is from, and is named after the night and as the newest of the default branch", async () => {
  const nightlyAt = Date.UTC(2026, 10, 27, 3);
  const named = async (of: object, origin: Origin) => {
    const seen = await making({ mail: worker() }, { dockerfile: true, of, origin });
    return [seen.sources[0] ?? null, ...seen.pushed];
  };
  const cloned = { url: "git@github.com:acme/shop.git", defaultBranch: "trunk" };
  const source = "https://github.com/acme/shop";
  expect(await named({ branch: "trunk", nightlyAt }, cloned)).toEqual(
    [source, "sha-c0ffee", "branch-trunk", "nightly-2026-11-27", "latest"], //
  );
  expect(await named({ branch: "main" }, cloned)).toEqual([source, "sha-c0ffee", "branch-main"]);
  expect(await named({ branch: "trunk", dirty: true }, cloned)).not.toContain("latest");
  // An older commit is on no branch's end; and a repository that was not cloned has only names to go by.
  const own = { url: null, defaultBranch: null };
  expect(await named({}, own)).toEqual([null, "sha-c0ffee"]);
  expect(await named({ branch: "main" }, own)).toEqual([null, "sha-c0ffee", "branch-main", "latest"]);
});
