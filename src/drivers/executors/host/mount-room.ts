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
  readonly #entering: string;
  readonly #sh: string;

  private constructor(tools: Tools, way: Way, entries: readonly Entry[]) {
    this.#entries = entries;
    this.#sh = tools.sh;
    const at = ({ file }: Entry): string => `/proc/${process.pid}/fd/${file}`;
    const options = [
      ...(way.hasUser ? ["--preserve-credentials"] : []),
      ...entries.map((each) => `--${each.kind}=${at(each)}`),
    ];
    // Nothing of anybody else is in these lines: tools, numbers and options.
    this.#entering = `table=$1; shift
if [ ${entries.map((each) => `-e ${at(each)}`).join(" -a ")} ]; then exec ${[tools.nsenter, ...options].join(" ")} -- "$@"; fi
exec ${made(tools, way).join(" ")} ${tools.sh} -c '${tools.mount} -a -n -T "$0" || exit 125; exec "$@"' "$table" "$@"`;
  }

  /**
   * Comes before a command, and is executed by a process that may look at this one. `table`: the same as a file, for when we have died
   * in between: then the command gets a namespace of its own.
   */
  enter(table: string): readonly string[] {
    return [this.#sh, "-c", this.#entering, "sh", table];
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

function made({ unshare }: Tools, { hasUser }: Way): readonly string[] {
  return [unshare, ...(hasUser ? ["--user", "--map-root-user"] : []), "--mount", "--propagation", "slave", "--"];
}
