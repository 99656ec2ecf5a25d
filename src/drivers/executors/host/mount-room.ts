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
  /** Comes before a command. Whoever may look at this process can execute that, until it is closed. */
  readonly enter: readonly string[];

  private constructor(nsenter: string, entries: readonly Entry[]) {
    this.#entries = entries;
    const isUser = entries.some(({ kind }) => kind === "user");
    const from = entries.map(({ kind, file }) => `--${kind}=/proc/${process.pid}/fd/${file}`);
    this.enter = [nsenter, ...(isUser ? ["--preserve-credentials"] : []), ...from, "--"];
  }

  /** `table`: a file as fstab(5). Errors: what the system said when it refused. */
  static async open({ unshare, nsenter, mount, sh, cat }: Tools, { hasUser }: Way, table: string): Promise<MountRoom> {
    const own = hasUser ? ["--user", "--map-root-user"] : [];
    const args = [...own, "--mount", "--propagation", "slave", "--", sh, "-c", script, "sh", mount, cat, table];
    const child = spawn(unshare, args, { cwd: "/", env: {}, stdio: ["pipe", "pipe", "pipe"] });
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
      return new MountRoom(nsenter, entries);
    } finally {
      child.stdin.end();
      await closed;
    }
  }

  close(): void {
    for (const { file } of this.#entries) closeSync(file);
  }
}
