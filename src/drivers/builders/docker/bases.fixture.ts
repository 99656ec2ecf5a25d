import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Header } from "tar";
import type { Reachable } from "../../../testing/hosts/engine-request.ts";
import { type Layer, layerOf, loadImage, sha256 } from "../../../testing/hosts/image-archive.ts";
import { nodeConfig, nodeLayer } from "../../../testing/hosts/node-image.ts";
import { needPrograms, run } from "../../../testing/hosts/parts.ts";
import { cacheDirectory } from "../../../testing/hosts/scene.ts";
import { architecture, shellLayer } from "../../../testing/hosts/shell-image.ts";

/**
 * The official base images under their own names, as far as generated Dockerfiles use them, made of this machine's programs
 * because nothing can be pulled here. Debian: nodejs with npm, python3 with python3-venv; nginx is downloaded by apt, not installed.
 * `busybox` is for recipes that need a shell and no more: what is made over node's 120 MB is exported and packed with them.
 */
export async function loadBases(
  engine: Reachable,
  ...names: readonly ("busybox" | "node" | "python" | "nginx")[]
): Promise<void> {
  if (names.includes("busybox")) {
    const layers = [await shellLayer(), linksLayer({}), distribution];
    await loadImage(engine, "busybox:1", { architecture, config: { Env: ["PATH=/bin"], Cmd: ["sh"] }, layers });
  }
  const node = await nodeLayer();
  if (names.includes("node")) {
    const npm = dirname(dirname(realpathSync(needPrograms("npm")[0] ?? "")));
    const layers = [
      node,
      await machineLayer("npm", [npm]),
      linksLayer({ "usr/local/bin/npm": join(npm, "bin/npm-cli.js"), "usr/bin/env": "/bin/busybox" }),
      distribution,
    ];
    await loadImage(engine, "node:22-slim", { architecture, config: nodeConfig, layers });
  }
  if (names.includes("python")) {
    const { program, paths } = python();
    const layers = [
      node,
      await machineLayer("python", [...paths]),
      linksLayer({ "usr/local/bin/python3": program }),
      distribution,
    ];
    await loadImage(engine, "python:3.13-slim", { architecture, config: nodeConfig, layers });
  }
  if (names.includes("nginx")) {
    const config = {
      ...nodeConfig,
      Env: ["PATH=/usr/sbin:/bin"],
      Entrypoint: ["/docker-entrypoint.sh"],
      Cmd: ["nginx"],
    };
    await loadImage(engine, "nginx:stable-alpine-slim", {
      architecture,
      config,
      layers: [node, await nginxLayer(), linksLayer({}), distribution],
    });
  }
}

/** What the package database of a distribution looks like, so that the list of contents has something to find. */
const distribution = layerOf({
  "etc/os-release": 'ID=debian\nVERSION_ID="12"\n',
  "var/lib/dpkg/status":
    "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9+deb12u10\n\n" +
    "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n",
});

function python(): { program: string; paths: readonly string[] } {
  const ask = "import sys,sysconfig,ensurepip;print(sys.executable);print(sysconfig.get_path('stdlib'))";
  for (const candidate of ["/usr/bin/python3", "python3"]) {
    try {
      const [program = "", library = ""] = execFileSync(candidate, ["-c", ask], { encoding: "utf8" }).split("\n");
      const real = realpathSync(program);
      const modules = join(library, "lib-dynload");
      const needing = [real, ...readdirSync(modules).map((name) => join(modules, name))];
      const wheels = ["/usr/share/python-wheels"].filter((path) => existsSync(path));
      return { program: real, paths: [real, library, ...wheels, ...librariesOf(needing)] };
    } catch {
      // The next one.
    }
  }
  throw new Error("missing: python3 with ensurepip; run: apt-get install --yes python3 python3-venv");
}

async function nginxLayer(): Promise<Layer> {
  const root = join(cacheDirectory, "nginx");
  if (!existsSync(root)) {
    await mkdir(cacheDirectory, { recursive: true });
    const draft = await mkdtemp(join(cacheDirectory, "draft-"));
    await run(["apt-get", "--quiet", "--option", "APT::Sandbox::User=root", "download", "nginx", "nginx-common"], {
      directory: draft,
    });
    for (const name of readdirSync(draft)) {
      await run(["dpkg-deb", "--extract", join(draft, name), join(draft, "root")]);
    }
    await rename(join(draft, "root"), root).catch((error: unknown) => {
      if (!existsSync(root)) throw error;
    });
    await rm(draft, { recursive: true, force: true });
  }
  const libraries = librariesOf([join(root, "usr/sbin/nginx")]);
  return machineLayer("nginx", libraries, { directory: root, names: ["usr/sbin/nginx", "etc/nginx/mime.types"] });
}

function librariesOf(programs: readonly string[]): string[] {
  const found = new Set<string>();
  for (const program of programs) {
    const said = execFileSync("ldd", [program], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    for (const [, path] of said.matchAll(/(?:=> )?(\/\S+) \(0x/g)) if (path !== undefined) found.add(path);
  }
  return [...found];
}

/** Files of this machine, and of another directory, at their places; links among them followed. Kept between runs. */
async function machineLayer(
  name: string,
  paths: readonly string[],
  more?: { readonly directory: string; readonly names: readonly string[] },
): Promise<Layer> {
  await mkdir(cacheDirectory, { recursive: true });
  const key = createHash("sha256")
    .update(JSON.stringify([paths, more, process.version]))
    .digest("hex")
    .slice(0, 12);
  const file = join(cacheDirectory, `${name}-${key}.tar`);
  if (!existsSync(file)) {
    const draft = `${file}.${process.pid}`;
    const options = ["--dereference", "--hard-dereference", "--owner=0", "--group=0", "--mtime=@0", "--sort=name"];
    const without = [
      "--exclude=__pycache__",
      "--exclude=*/test",
      "--exclude=*/tests",
      "--exclude=*/idlelib",
      "--exclude=*/config-3*",
      "--exclude=*/site-packages/*",
      "--exclude=*/dist-packages/*",
    ];
    const own = more === undefined ? [] : ["-C", more.directory, ...more.names];
    await run(["tar", "-cf", draft, ...options, ...without, "-C", "/", ...paths.map((path) => path.slice(1)), ...own]);
    await rename(draft, file);
  }
  return { digest: sha256(readFileSync(file)), content: { file } };
}

function linksLayer(links: Readonly<Record<string, string>>): Layer {
  const blocks = Object.entries(links).map(([path, linkpath]) => {
    const header = new Header({
      path,
      linkpath,
      type: "SymbolicLink",
      mode: 0o777,
      size: 0,
      uid: 0,
      gid: 0,
      mtime: new Date(0),
    });
    header.encode();
    return header.block as Buffer;
  });
  // Docker gives a memory file system the mode of the directory that it covers.
  const tmp = new Header({
    path: "tmp/",
    type: "Directory",
    mode: 0o1777,
    size: 0,
    uid: 0,
    gid: 0,
    mtime: new Date(0),
  });
  tmp.encode();
  const content = Buffer.concat([...blocks, tmp.block as Buffer, Buffer.alloc(1_024)]);
  return { digest: sha256(content), content };
}
