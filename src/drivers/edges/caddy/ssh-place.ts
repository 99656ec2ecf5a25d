import { reasonOf, SlipwayError } from "../../../core/errors/error.ts";
import { SshError } from "../../../lib/ssh/errors.ts";
import type { Ssh } from "../../../lib/ssh/open-ssh.ts";
import { ackFolder, pathsIn } from "./paths.ts";
import type { FileStep, Place } from "./place.ts";

const callLimitMs = 60_000;
/** Of a unix socket's path on the host (unix(7)): sockets of the edge lie in its directory. */
const maxDirectoryChars = 80;

export type SshPlaceOptions = {
  /** An absolute path on the host, 80 characters at most. Caddy runs there as the user whom `ssh` logs in as. */
  readonly directory: string;
  /** Caddy on the host. */
  readonly program: string;
  /** Has Caddy started on `<directory>/caddy.json`, and kept up; does nothing when it runs. Such as `systemctl start …`. */
  readonly launch: readonly string[];
  /** How often certificate files on the host are looked at. Default: each minute. */
  readonly filesEveryMs?: number;
};

const minuteMs = 60_000;

/** Caddy on a host behind SSH: files are written there, its sockets are reached through the connection. */
export function sshPlace(ssh: Ssh, { directory, program, launch, filesEveryMs = minuteMs }: SshPlaceOptions): Place {
  if (!/^\/[\w./-]+$/.test(directory) || directory.length > maxDirectoryChars)
    throw new TypeError(
      `the edge's directory on a host must be an absolute path of ${maxDirectoryChars} plain characters`,
    );
  const paths = pathsIn(directory, (folder, name) => `${folder}/${name}`);

  const run = async (argv: readonly string[], stdin = "", allowed: readonly number[] = [0]) => {
    const signal = AbortSignal.timeout(callLimitMs);
    const done = await translated(ssh.run(argv, { signal, stdin, maxBytes: maxFileBytes }));
    if (allowed.includes(done.code)) return done;
    throw new SlipwayError("EDGE_UNREACHABLE", {
      message: `${argv[0]} failed on ${ssh.destination} with ${done.code}`,
      evidence: [["stderr", done.stderr.trim().slice(-500)]],
    });
  };
  let acknowledging: string | null = null;
  const near = async (remote: Parameters<Ssh["forward"]>[0]): Promise<string> => {
    const signal = AbortSignal.timeout(callLimitMs);
    return translated(ssh.forward(remote, signal).then((forward) => forward.established(signal)));
  };

  return {
    paths,
    filesEveryMs,
    version: async () => (await run([program, "version"])).stdout.trim(),
    async prepare() {
      const folders = [paths.directory, paths.slots, paths.data, paths.certificates, `${paths.slots}/${ackFolder}`];
      await run(["mkdir", "-p", "-m", "0700", "--", ...folders]);
    },
    async read(path) {
      const done = await run(["sh", "-c", '[ -e "$1" ] || exit 44; cat -- "$1"', "sh", path], "", [0, 44]);
      return done.code === 44 ? null : done.stdout;
    },
    write: (path, content) => translated(ssh.upload(content, path, "0600", AbortSignal.timeout(callLimitMs))),
    async perform(steps) {
      await run(["sh", "-c", script, "sh", paths.slots], steps.map(line).join(""));
    },
    async socket(path) {
      const socket = await near({ socket: path });
      // Each config has one of its own, and nobody comes back to the one before.
      if (path.startsWith(`${paths.slots}/${ackFolder}/`) && path !== acknowledging) {
        const before = acknowledging;
        acknowledging = path;
        if (before !== null) void ssh.endForward({ socket: before });
      }
      return socket;
    },
    dial: async (host, port) => ({ path: await near({ host: host === "0.0.0.0" ? "127.0.0.1" : host, port }) }),
    async launchCaddy() {
      await run(launch);
    },
    close: async () => undefined,
  };
}

const maxFileBytes = 32_000_000;

/** All steps in one round trip: the shell reads them, one a line, and starts a program only for links and removals. */
const script = `set -eu; umask 077; cd "$1"
while read -r what name rest; do case $what in
folder) mkdir -p -- "$name";;
file) printf '%s\\n' "$rest" > "$name";;
link) ln -s -- "$rest" "$name.$$.tmp"; mv -fT -- "$name.$$.tmp" "$name";;
keep) for each in "$name"/*; do case " $rest " in *" \${each##*/} "*) ;; *) rm -rf -- "$each";; esac; done;;
*) exit 45;; esac; done`;

function line(step: FileStep): string {
  switch (step.is) {
    case "folder":
      return `folder ${step.name}\n`;
    case "file":
      return `file ${step.name} ${step.content}\n`;
    case "link":
      return `link ${step.name} ${step.to}\n`;
    case "keep":
      return `keep ${step.folder} ${step.names.join(" ")}\n`;
  }
}

async function translated<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof SshError)) throw error;
    const evidence = [["ssh", error.stderr.trim().slice(-500)]] as const;
    throw new SlipwayError(codeOf(error), { message: `The edge's host: ${reasonOf(error)}`, evidence, cause: error });
  }
}

function codeOf({ code }: SshError): "HOST_KEY_UNKNOWN" | "HOST_DENIED" | "HOST_AWAY" | "EDGE_UNREACHABLE" {
  switch (code) {
    case "HOST_KEY_UNKNOWN":
    case "HOST_KEY_CHANGED":
      return "HOST_KEY_UNKNOWN";
    case "DENIED":
      return "HOST_DENIED";
    case "AWAY":
    case "TIMED_OUT":
      return "HOST_AWAY";
    case "REFUSED":
    case "FAILED":
      return "EDGE_UNREACHABLE";
  }
}
