import { existsSync, mkdirSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { reasonOf } from "../../../core/errors/error.ts";
import { runCommand } from "../../../lib/run-command.ts";
import { socketFolder } from "../../../lib/socket-path.ts";
import type { UnitSpec } from "../../../lib/supervisor/contract.ts";
import type { StepJob } from "../../../ports/executor.ts";
import { gitDirectoriesAround } from "./git-directories.ts";
import { MountRoom, type Way } from "./mount-room.ts";
import { findTools, type Tools } from "./tools.ts";

/** What a step must not see of this machine. */
export type Hidden = {
  /** A state directory. Of what is in it a step sees its own paths only. */
  readonly directory: string;
  /** Single files elsewhere, as the token of an agent. */
  readonly files: readonly string[];
};

/** What runs the step, and with which environment. `started` is called when it has begun, or has not. */
export type Fenced = Pick<StepJob, "command" | "env"> &
  Required<Pick<UnitSpec, "otherwise">> & { readonly started: () => void };

const probeMs = 10_000;
/** So long after its last step a namespace is kept for the next one. */
const idleMs = 10_000;

/**
 * With these root could take the fence away, or look behind it by way of another process, an inode's number or the memory of the
 * kernel: capabilities(7). All else of root's stays: owners, ports, networks, users.
 */
const takenOfRoot = ["sys_admin", "sys_ptrace", "sys_module", "sys_rawio", "dac_read_search"];

/** Run in the namespace: where the step begins, how many processes it may have (or nothing), then the step. */
const script = `cd "$1" || exit 125
if [ -n "$2" ]; then ulimit -p "$2" 2>/dev/null || ulimit -u "$2" 2>/dev/null; fi
shift 2
unset PWD OLDPWD SHLVL
exec "$@"`;

/** The dynamic linker and the C library do what these say in every program: they are the step's, and not the tools' before it. */
const loaderVariable = /^(LD_|BASH_|GLIBC_|MALLOC_)|^(ENV|GCONV_PATH|GETCONF_DIR|LOCPATH|NLSPATH|TZDIR)$/;

type Kept = { readonly room: Promise<MountRoom>; users: number; idle: NodeJS.Timeout | null };

/**
 * Puts steps into a mount namespace in which the state directory is an empty, read-only file system with nothing in it but their own
 * paths, and in which the git directory around it is read-only: what is in its config, the control plane's own git would run. Steps with the same paths, which are those of one run, share it: to enter it costs less than half of making it. It ends with the
 * last process in it. A step keeps its process id, its user, its streams and its signals.
 */
export class Fence {
  readonly #hidden: Hidden;
  readonly #tools: Tools;
  readonly #way: Way;
  /** Whether the git directory around the state directory is read-only in it. */
  readonly #seals: boolean;
  readonly #kept = new Map<string, Kept>();

  private constructor(hidden: Hidden, tools: Tools, { way, seals }: { readonly way: Way; readonly seals: boolean }) {
    this.#hidden = hidden;
    this.#tools = tools;
    this.#way = way;
    this.#seals = seals;
  }

  /** Tries it. Answers why there can be none on this machine. */
  static async open(hidden: Hidden): Promise<Fence | string> {
    if (process.platform !== "linux") return `${process.platform} has no mount namespaces`;
    const tools = findTools();
    if (typeof tools === "string") return tools;
    let why = "";
    // Some systems let a user without rights hide what is theirs, and make nothing of it read-only.
    for (const seals of [true, false])
      for (const way of waysOf(tools)) {
        const fence = new Fence(hidden, tools, { way, seals });
        const tried = await fence.#whyNot();
        if (tried === null) return fence;
        why = tried;
      }
    return why;
  }

  /** `processes`: as many may it have at once; null: unbounded. Errors: why it could not be put up. */
  async around(
    job: Pick<StepJob, "command" | "env" | "directory" | "sees" | "room">,
    { processes }: { readonly processes: number | null },
  ): Promise<Fenced> {
    const key = JSON.stringify(job.sees.map(identityOf));
    const kept = this.#kept.get(key) ?? this.#open(key, job.sees);
    kept.users += 1;
    if (kept.idle !== null) clearTimeout(kept.idle);
    const started = (): void => {
      kept.users -= 1;
      if (kept.users === 0) kept.idle = setTimeout(() => this.#close(key), idleMs).unref();
    };
    const room = await kept.room;
    const table = join(job.room, "fence");
    writeFileSync(table, this.#table(job.sees), { mode: 0o600 });
    const loading = Object.entries(job.env).filter(([name]) => loaderVariable.test(name));
    const later = loading.length === 0 ? [] : [this.#tools.env, ...loading.map(([name, value]) => `${name}=${value}`)];
    const step = [...this.#way.take, ...later, ...job.command];
    const begin = [this.#tools.sh, "-c", script, "sh", job.directory, processes === null ? "" : String(processes)];
    // Each program before a step costs it one to two milliseconds: no shell where none is needed.
    const isPlain = processes === null && this.#tools.entersDirectories;
    const enter = isPlain ? room.enter([`--wdns=${job.directory}`]) : [...room.enter([]), ...begin];
    return {
      command: [...enter, ...step],
      otherwise: { without: room.held, command: [...room.anew(table), ...begin, ...step] },
      env: Object.fromEntries(Object.entries(job.env).filter(([name]) => !loaderVariable.test(name))),
      started,
    };
  }

  #table(sees: readonly string[]): string {
    return tableOf(this.#hidden, sees, this.#seals ? gitDirectoriesAround(this.#hidden.directory) : []);
  }

  #open(key: string, sees: readonly string[]): Kept {
    const room = this.#mounted(sees);
    const kept: Kept = { room, users: 0, idle: null };
    this.#kept.set(key, kept);
    // What could not be made is tried again by the next.
    room.catch(() => this.#kept.delete(key));
    return kept;
  }

  async #mounted(sees: readonly string[]): Promise<MountRoom> {
    mkdirSync(stageOf(this.#hidden), { recursive: true, mode: 0o700 });
    tables += 1;
    const table = join(this.#hidden.directory, `fence-${process.pid}-${tables}`);
    try {
      writeFileSync(table, this.#table(sees), { mode: 0o600 });
      return await MountRoom.open(this.#tools, this.#way, table);
    } finally {
      rmSync(table, { force: true });
    }
  }

  #close(key: string): void {
    const kept = this.#kept.get(key);
    this.#kept.delete(key);
    kept?.room.then((room) => room.close()).catch(() => undefined);
  }

  /** Null: what is to be hidden is. */
  async #whyNot(): Promise<string | null> {
    const said: string[] = [];
    try {
      const looks = [this.#tools.sh, "-c", '[ ! -e "$1" ]', "sh", stageOf(this.#hidden)];
      const nothing = { directory: "/", sees: [], env: {}, room: stageOf(this.#hidden) };
      mkdirSync(nothing.room, { recursive: true, mode: 0o700 });
      const { command, env, started } = await this.around({ ...nothing, command: looks }, { processes: null });
      const ended = await runCommand(command, {
        ...{ directory: "/", env, timeoutMs: probeMs, onLine: (line: string) => void said.push(line) },
        signal: new AbortController().signal,
      });
      started();
      return ended.is === "exited" && ended.code === 0 ? null : (said[0] ?? "what it is to hide was still there");
    } catch (error) {
      return reasonOf(error);
    }
  }
}

let tables = 0;

/** Root has what it takes; another user has it in a user namespace, out of which the step goes on as that user in a second one. */
function waysOf({ unshare, setpriv }: Tools): readonly Way[] {
  const [user = 0, group = 0] = [process.getuid?.(), process.getgid?.()];
  const asUser: Way = {
    hasUser: true,
    take: [unshare, "--user", `--map-user=${user}`, `--map-group=${group}`, "--"],
  };
  const asRoot: Way = {
    hasUser: false,
    take: [setpriv, `--bounding-set=${takenOfRoot.map((name) => `-${name}`).join(",")}`, "--"],
  };
  return user === 0 ? [asRoot, asUser] : [asUser];
}

/** The same path may be another directory by now, and what is mounted is the directory. */
function identityOf(path: string): readonly [string, number] {
  return [path, statSync(path, { throwIfNoEntry: false })?.ino ?? 0];
}

/**
 * What is mounted, as fstab(5): the new state directory is made on a stage inside the old one, and put in its place when the step's
 * own paths are in it.
 */
function tableOf({ directory, files }: Hidden, sees: readonly string[], sealed: readonly string[]): string {
  const stage = stageOf({ directory });
  const isInside = (path: string): boolean => !/^\.\.(\/|$)/.test(relative(directory, path));
  const elsewhere = (paths: readonly string[]) => paths.filter((path) => !isInside(path) && existsSync(path));
  const empty = (at: string, options: string) => line("slipway", at, "tmpfs", `nosuid,nodev,mode=0755,${options}`);
  const bind = (from: string, to: string, options = "bind") => line(from, to, "none", options);
  return [
    empty(stage, "size=1m"),
    ...elsewhere([socketFolder()]).map((at) => empty(at, "size=4k,ro")),
    ...sees.filter(isInside).map((path) => bind(path, join(stage, relative(directory, path)), "bind,X-mount.mkdir")),
    ...elsewhere(files).map((file) => bind("/dev/null", realpathSync(file))),
    ...elsewhere(sealed).map((at) => bind(at, at, "bind,ro")),
    // Last: after it nothing of what was there can be named.
    bind(stage, directory, "rbind,ro"),
  ].join("");
}

function line(...fields: readonly [string, string, string, string]): string {
  return `${fields.map(escaped).join(" ")} 0 0\n`;
}

function escaped(field: string): string {
  return field.replace(/[\s\\]/g, (sign) => `\\${sign.charCodeAt(0).toString(8).padStart(3, "0")}`);
}

function stageOf({ directory }: Pick<Hidden, "directory">): string {
  return join(directory, "fence");
}
