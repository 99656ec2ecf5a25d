import { randomBytes } from "node:crypto";
import { accessSync, constants, existsSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { reasonOf, SlipwayError } from "../core/errors/error.ts";

/** Where a control plane keeps everything. Only the owner may look inside. */
export type StateDirectory = {
  readonly root: string;
  /** Address and pid of the running control plane; left behind by one that was killed. */
  readonly running: string;
  /** The API's bearer token. */
  readonly token: string;
  /** Of Alertmanager, for the route that it posts to. */
  readonly alertToken: string;
  readonly log: string;
  /** The product whose state this is: once it is known, no command has to run the config to find out. */
  readonly product: string;
};

export const stateDirectoryName = ".slipway";

export function stateDirectory(root: string): StateDirectory {
  return {
    root,
    running: join(root, "control-plane.json"),
    token: join(root, "token"),
    alertToken: join(root, "alert-token"),
    log: join(root, "control-plane.log"),
    product: join(root, "product"),
  };
}

/** Makes it when it is missing, with a token, and out of git's sight. Safe to repeat. Errors: STATE_UNUSABLE, DISK_FULL. */
export function prepareStateDirectory(at: StateDirectory): void {
  inWords(at, () => {
    mkdirSync(at.root, { recursive: true, mode: 0o700 });
    const ignore = join(at.root, ".gitignore");
    if (!existsSync(ignore)) writeFileSync(ignore, "*\n");
    for (const file of [at.token, at.alertToken]) makeToken(file);
  });
}

/** The control plane's log, to append to; its descriptor is the caller's to close. Errors: STATE_UNUSABLE, DISK_FULL. */
export function openLog(at: StateDirectory): number {
  return inWords(at, () => openSync(at.log, "a", 0o600));
}

/**
 * One that this user may not look into is another user's, and not one that is missing. On a disk that has become read-only there is still
 * much to see. Errors: STATE_UNUSABLE.
 */
export function mayBeRead(at: StateDirectory): void {
  inWords(at, () => {
    if (existsSync(at.root)) accessSync(`${at.root}/.`, constants.R_OK | constants.X_OK);
  });
}

function inWords<T>(at: StateDirectory, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    const cause = error;
    if (code === "ENOSPC" || code === "EDQUOT")
      throw new SlipwayError("DISK_FULL", { message: `no space left for ${at.root}`, cause });
    const owner = statSync(at.root, { throwIfNoEntry: false })?.uid;
    throw new SlipwayError("STATE_UNUSABLE", {
      message: `the state directory ${at.root} cannot be used`,
      evidence: [
        ["said", reasonOf(error)],
        ...(owner === undefined
          ? []
          : [["owner", `user id ${owner}; this is ${process.getuid?.() ?? "another"}`] as const]),
      ],
      cause,
    });
  }
}

function makeToken(file: string): void {
  if (existsSync(file)) return;
  try {
    writeFileSync(file, randomBytes(32).toString("base64url"), { mode: 0o600, flag: "wx" });
  } catch (error) {
    // Another command has just written it.
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
}

export type Running = {
  readonly pid: number;
  readonly port: number;
  readonly version: string;
  readonly product: string;
  /** It was told to stop: its end is no accident. */
  readonly stopping?: true;
};

export function readRunning(at: StateDirectory): Running | null {
  try {
    return JSON.parse(readFileSync(at.running, "utf8")) as Running;
  } catch {
    return null;
  }
}

export function readToken({ token }: Pick<StateDirectory, "token">): string {
  return readFileSync(token, "utf8").trim();
}
