import {
  closeSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { isAlive, readStat } from "./procfs.ts";

type Owner = { readonly pid: number; readonly startTicks: number | null };

/** Somebody who is starting has this long. A file of a dead starter is no obstacle. */
const startingMs = 5_000;
const pollMs = 10;

/**
 * Runs `take` alone among all daemons that start on this directory, and only when none lives. False: one lives, or became
 * alive meanwhile. What counts is the owner's pid with its start time, because a socket's file says nothing: it outlives
 * its owner, and a cleaner may remove it under a living one.
 */
export async function takeOwnership(directory: string, take: () => Promise<void>): Promise<boolean> {
  const starting = join(directory, "supervisor.starting");
  const owner = join(directory, "supervisor.pid");
  const until = performance.now() + startingMs;
  while (!tryCreate(starting)) {
    if (!isFresh(starting)) removeStale(starting);
    if (performance.now() > until) return false;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  try {
    const present = readOwner(owner);
    if (present !== null && present.pid !== process.pid && isAlive(present.pid, present.startTicks)) return false;
    await take();
    writeFileSync(owner, JSON.stringify(self()), { mode: 0o600 });
    return true;
  } finally {
    rmSync(starting, { force: true });
  }
}

/** Whether the directory is still this process's: another may have been started after a person removed files. */
export function isOwner(directory: string): boolean {
  return readOwner(join(directory, "supervisor.pid"))?.pid === process.pid;
}

export function giveUpOwnership(directory: string): void {
  if (isOwner(directory)) rmSync(join(directory, "supervisor.pid"), { force: true });
}

function tryCreate(file: string): boolean {
  try {
    const fd = openSync(file, "wx", 0o600);
    writeSync(fd, JSON.stringify(self()));
    closeSync(fd);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

/** Its maker lives, or it is so young that its maker has not yet written its name. */
function isFresh(file: string): boolean {
  const maker = readOwner(file);
  if (maker !== null) return isAlive(maker.pid, maker.startTicks);
  try {
    return Date.now() - statSync(file).mtimeMs < startingMs;
  } catch {
    return false;
  }
}

/** Looks again at what it took away: another starter may have replaced the stale file in between. */
function removeStale(file: string): void {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
    if (isFresh(aside) && readOwner(aside) !== null) linkSync(aside, file);
  } catch {
    // gone already, or made anew: the next try finds out
  }
  rmSync(aside, { force: true });
}

function readOwner(file: string): Owner | null {
  try {
    const owner = JSON.parse(readFileSync(file, "utf8")) as Owner;
    return Number.isInteger(owner.pid) ? owner : null;
  } catch {
    return null;
  }
}

function self(): Owner {
  return { pid: process.pid, startTicks: readStat(process.pid)?.startTicks ?? null };
}
