import { execFile, type SpawnOptions, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Where each program that the fixture runs comes from in Debian. */
const packageOf: Readonly<Record<string, string>> = {
  dockerd: "docker.io",
  containerd: "containerd",
  runc: "runc",
  iptables: "iptables",
  ip: "iproute2",
  sshd: "openssh-server",
  ssh: "openssh-client",
  "ssh-keygen": "openssh-client",
  busybox: "busybox-static",
  "redis-check-rdb": "redis-tools",
  "docker-registry": "docker-registry",
  htpasswd: "apache2-utils",
  openssl: "openssl",
  setpriv: "util-linux",
  unshare: "util-linux",
  nsenter: "util-linux",
  tini: "tini",
  ldd: "libc-bin",
  "apt-get": "apt",
  "dpkg-deb": "dpkg",
};

/** Debian keeps daemons in `sbin`, which a user's PATH often lacks. */
export const searchPath = [process.env.PATH ?? "", "/usr/local/sbin", "/usr/sbin", "/sbin"].join(delimiter);

/** The whole path of each program, in order. Throws one error that names everything that is missing and how to get it. */
export function needPrograms(...names: readonly string[]): readonly string[] {
  if (process.getuid?.() !== 0) throw new Error("real engines and hosts need root: run the tests as root");
  const found = names.map((name) => ({ name, path: lookUp(name) }));
  const missing = found.filter((each) => each.path === null).map((each) => each.name);
  if (missing.length > 0) {
    const packages = [...new Set(missing.map((name) => packageOf[name] ?? name))];
    throw new Error(`missing: ${missing.join(", ")}; run: apt-get install --yes ${packages.join(" ")}`);
  }
  return found.map((each) => each.path ?? "");
}

function lookUp(name: string): string | null {
  for (const directory of searchPath.split(delimiter)) {
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this one.
    }
  }
  return null;
}

export type RunOptions = {
  readonly input?: string | Buffer;
  readonly env?: NodeJS.ProcessEnv;
  readonly timeoutMs?: number;
  readonly directory?: string;
};

/** Runs an argument array to its end and gives its standard output. A failure carries what it wrote to standard error. */
export async function run(command: readonly string[], options: RunOptions = {}): Promise<string> {
  const [program = "", ...args] = command;
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      args,
      {
        env: { ...process.env, PATH: searchPath, ...options.env },
        maxBuffer: 64 * 1024 ** 2,
        ...(options.directory === undefined ? {} : { cwd: options.directory }),
        timeout: options.timeoutMs ?? 60_000,
        killSignal: "SIGKILL",
      },
      (error, stdout, stderr) => {
        if (error === null) return resolve(stdout);
        reject(new Error(`${command.join(" ")}: ${stderr.trim() || error.message}`, { cause: error }));
      },
    );
    // A program that does not read its input closes the pipe; its exit code says what there is to say.
    child.stdin?.on("error", () => {});
    child.stdin?.end(options.input ?? "");
  });
}

/**
 * Starts a program that the kernel kills when this process ends, however it ends: nothing that a killed test started lives on.
 * The program's own children follow when it is a namespace's first process.
 */
export function spawnTied(command: readonly string[], options: SpawnOptions): ReturnType<typeof spawn> {
  return spawn("setpriv", ["--pdeathsig", "KILL", "--", ...command], {
    ...options,
    env: { PATH: searchPath, HOME: "/root", LANG: "C.UTF-8", ...options.env },
  });
}
