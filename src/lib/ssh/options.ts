import { createHash, randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Haste } from "./haste.ts";

export type SshOptions = {
  /** `user@host` or `host`, also an alias of `~/.ssh/config`. */
  readonly destination: string;
  /** Null is the config's, else 22. */
  readonly port?: number | null;
  /** For the sockets of this connection; made with 0700. When its path is too long for a socket, a temporary one is used. */
  readonly controlDirectory: string;
  /** More options as `Name=value`, each passed by `-o`. They win over ours and over the config. */
  readonly options?: readonly string[];
  /** Instead of `~/.ssh/config` and the system's. */
  readonly configFile?: string | null;
  /** Default 10 s. */
  readonly connectTimeoutMs?: number;
  /** Default `ssh`, looked up on PATH. */
  readonly program?: string;
  /** Ends the pause between two tries at a host that is away. Default: nobody does. */
  readonly haste?: Haste;
};

/** A connection that is silent for so long is given up: 3 unanswered questions, one each 5 s. */
const aliveEveryS = 5;
const aliveTimes = 3;
const defaultConnectTimeoutMs = 10_000;
/** Linux allows 108 bytes with the NUL, macOS 104 (unix(7)); ssh binds under a name that is 17 longer before it renames. */
const maxSocketPathBytes = 103 - 17;
const socketNameBytes = 24;

/** What every call of ssh for this host begins with. Ends before the destination. */
export function sshArguments(options: SshOptions): readonly string[] {
  const connectTimeoutS = Math.max(1, Math.ceil((options.connectTimeoutMs ?? defaultConnectTimeoutMs) / 1000));
  // The first value of an option wins in ssh, so the caller's come first.
  const pairs = [
    ...(options.options ?? []),
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "UpdateHostKeys=no",
    `ConnectTimeout=${connectTimeoutS}`,
    `ServerAliveInterval=${aliveEveryS}`,
    `ServerAliveCountMax=${aliveTimes}`,
    "ForwardAgent=no",
    "ForwardX11=no",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
    "RequestTTY=no",
    "ControlPersist=no",
  ];
  return [
    ...(typeof options.configFile === "string" ? ["-F", options.configFile] : []),
    ...(typeof options.port === "number" ? ["-p", String(options.port)] : []),
    ...pairs.flatMap((pair) => ["-o", pair]),
  ];
}

/** Refuses what ssh would take for an option or what is no name. */
export function checkDestination(destination: string): void {
  if (!/^(?:[A-Za-z0-9_.][A-Za-z0-9_.$-]*@)?[A-Za-z0-9_.:[\]%][A-Za-z0-9_.:[\]%-]*$/.test(destination)) {
    throw new TypeError(`${JSON.stringify(destination)} is no SSH destination: user@host`);
  }
}

/** A 0700 directory whose sockets have short enough paths. */
export function privateDirectory(wanted: string): string {
  mkdirSync(wanted, { recursive: true, mode: 0o700 });
  if (Buffer.byteLength(wanted) + socketNameBytes <= maxSocketPathBytes) {
    chmodSync(wanted, 0o700);
    return wanted;
  }
  return mkdtempSync(join(tmpdir(), "slipway-ssh-"));
}

/** A name of its own for each socket: one that a dead process left behind is never in the way. */
export function socketName(kind: "m" | "f", key: string): string {
  const digest = createHash("sha256").update(key).digest("hex").slice(0, 8);
  return `${kind}-${digest}-${randomBytes(4).toString("hex")}`;
}
