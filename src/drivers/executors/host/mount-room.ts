import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import type { Tools } from "./tools.ts";

/** How a namespace is made, and what is taken from the step before it begins. */
export type Way = {
  /** In a user namespace of its own, whose root we are. */
  readonly hasUser: boolean;
  readonly take: readonly string[];
};

type Entry = { readonly kind: "user" | "mount"; readonly file: number };

/** Says that all is mounted, and waits until it has been looked at. The table comes as a file of its own. */
const script = `"$1" -a -n -T "$3" || exit 1
echo ready
exec "$2"`;

/**
 * A mount namespace without a process in it, held by a file descriptor of ours: who enters it finds what a table has mounted. When we
 * die, or close it, it ends with the last process in it: namespaces(7).
 */
export class MountRoom {
  readonly #entries: readonly Entry[];
  readonly #entering: readonly string[];
  readonly #anew: readonly string[];

  private constructor(tools: Tools, way: Way, entries: readonly Entry[]) {
    this.#entries = entries;
    this.#entering = [
      tools.nsenter,
      ...(way.hasUser ? ["--preserve-credentials"] : []),
      ...entries.map((each) => `--${each.kind}=${heldAt(each)}`),
    ];
    this.#anew = [...made(tools, way), tools.sh, "-c", anew, tools.mount];
  }

  /** A path that is there as long as we hold the namespace, for whoever may look at this process. */
  get held(): string {
    return heldAt(this.#entries[0] as Entry);
  }

  /** Comes before a command that is to find what the table has mounted. */
  enter(options: readonly string[]): readonly string[] {
    return [...this.#entering, ...options, "--"];
  }

  /** Comes before it instead when we have died in between, and `held` is gone. `table`: the same as a file, for a namespace of its own. */
  anew(table: string): readonly string[] {
    return [...this.#anew, table];
  }

  /** `table`: a file as fstab(5). Errors: what the system said when it refused. */
  static async open(tools: Tools, way: Way, table: string): Promise<MountRoom> {
    const { mount, sh, cat } = tools;
    const { hasUser } = way;
    const [program = "", ...args] = [...made(tools, way), sh, "-c", script, "sh", mount, cat, table];
    const child = spawn(program, args, { cwd: "/", env: {}, stdio: ["pipe", "pipe", "pipe"] });
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => {
      said += chunk.toString("utf8");
    });
    child.stdin.on("error", () => undefined);
    const closed = once(child, "close");
    try {
      const isReady = await Promise.race([once(child.stdout, "data").then(() => true), closed.then(() => false)]);
      if (!isReady) throw new Error(said.trim().split("\n")[0] || "the system refused it and did not say why");
      const entries: Entry[] = [];
      if (hasUser) entries.push({ kind: "user", file: openSync(`/proc/${child.pid}/ns/user`, "r") });
      entries.push({ kind: "mount", file: openSync(`/proc/${child.pid}/ns/mnt`, "r") });
      return new MountRoom(tools, way, entries);
    } finally {
      child.stdin.end();
      await closed;
    }
  }

  close(): void {
    for (const { file } of this.#entries) closeSync(file);
  }
}

const anew = `"$0" -a -n -T "$1" || exit 125
shift
exec "$@"`;

function heldAt({ file }: Entry): string {
  return `/proc/${process.pid}/fd/${file}`;
}

function made({ unshare }: Tools, { hasUser }: Way): readonly string[] {
  return [unshare, ...(hasUser ? ["--user", "--map-root-user"] : []), "--mount", "--propagation", "slave", "--"];
}
