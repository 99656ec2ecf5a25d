import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Where a control plane keeps everything. Only the owner may look inside. */
export type StateDirectory = {
  readonly root: string;
  /** Address and pid of the running control plane. */
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

/** Makes it when it is missing, with a token, and out of git's sight. Safe to repeat. */
export function prepareStateDirectory(at: StateDirectory): void {
  mkdirSync(at.root, { recursive: true, mode: 0o700 });
  const ignore = join(at.root, ".gitignore");
  if (!existsSync(ignore)) writeFileSync(ignore, "*\n");
  for (const file of [at.token, at.alertToken]) makeToken(file);
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
