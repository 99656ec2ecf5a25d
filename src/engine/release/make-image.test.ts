import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { titleLabel } from "../../core/build/labels.ts";
import type { Digest, ServiceName } from "../../core/ids.ts";
import type { ServiceInput } from "../../core/product/input.ts";
import { resolveEnvironment } from "../../core/product/resolve.ts";
import type { ReleasedImage } from "../../core/release/artifacts.ts";
import { Secret } from "../../core/secret.ts";
import type { Builder, BuildSpec } from "../../ports/builder.ts";
import type { World } from "../world.ts";
import { workspaceOf } from "./build-log.ts";
import { servicesOf } from "./config.ts";
import { makeImage } from "./make-image.ts";

const signal = new AbortController().signal;

/** Makes the images of a release of these services one after the other, with a builder that only takes note. */
async function making(services: Record<string, ServiceInput>, { dockerfile }: { readonly dockerfile: boolean }) {
  const runsDirectory = await mkdtemp(join(tmpdir(), "slipway-make-image-"));
  onTestFinished(() => rm(runsDirectory, { recursive: true, force: true }));
  const workspace = workspaceOf({ runsDirectory }, "run_1");
  await mkdir(join(workspace.source, "app"), { recursive: true });
  if (dockerfile) await writeFile(join(workspace.source, "app", "Dockerfile"), "FROM scratch\n");
  const built: BuildSpec[] = [];
  const builder: Builder = {
    name: "takes note",
    can: async () => ({ secrets: true, platforms: [], cacheMounts: true }),
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
    images: { builder: () => builder, secret: (name: string) => (name === "KNOWN" ? new Secret("x") : null) },
    sealed: { open: (text: string) => text },
  } as unknown as World;
  const product = {
    name: "shop",
    services,
    target: { driver: "docker" as const, hosts: ["unix:///run/docker.sock"] },
    environments: { production: {} },
  };
  const config = { product: "shop", environments: { production: resolveEnvironment(product, "production") } };
  const commit = { hash: "c0ffee", at: 0, author: "a", email: "a@example.org", subject: "s", body: "" };
  const made = new Map<ServiceName, ReleasedImage>();
  const all = servicesOf(config);
  for (const service of all) {
    const making = { workspace, prefix: "", config, service, commit: { ...commit, branch: null, dirty: false }, made };
    made.set(service.name, await makeImage(world, making, signal));
  }
  return {
    built: built.map(({ service }) => service),
    titles: built.map(({ labels }) => labels[titleLabel]),
    digests: all.map(({ name }) => made.get(name)?.digest.at(-1)).join(""),
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
