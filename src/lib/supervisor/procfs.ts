import { readdirSync, readFileSync } from "node:fs";

/**
 * What the kernel says of processes, from /proc (proc(5)). On a system without it every answer is "nothing known": liveness is
 * then asked with a signal 0, and usage is not sampled.
 */
export type ProcessStat = {
  readonly pid: number;
  readonly state: string;
  readonly group: number;
  readonly cpuTicks: number;
  /** Clock ticks after boot. With the pid it names one process for ever: a reused pid has another start. */
  readonly startTicks: number;
  readonly residentPages: number;
};

/** USER_HZ is 100 on every Linux that Node runs on; /proc reports in it whatever the kernel's own HZ is (time(7)). */
export const ticksPerSecond = 100;

export const hasProc = process.platform === "linux";

export function readStat(pid: number): ProcessStat | null {
  try {
    return parseStat(pid, readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return null;
  }
}

/** The name, in parentheses, may hold spaces and parentheses itself: fields are counted from the last `)`. */
export function parseStat(pid: number, text: string): ProcessStat | null {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const field = (number: number) => Number(fields[number - 3]); // numbered as in proc(5); the state is field 3
  const startTicks = field(22);
  if (!Number.isFinite(startTicks)) return null;
  return {
    pid,
    state: fields[0] ?? "?",
    group: field(5),
    cpuTicks: field(14) + field(15),
    startTicks,
    residentPages: field(24),
  };
}

/** Whether this very process still runs. A zombie does not: where nobody reaps, it stays for ever. */
export function isAlive(pid: number, startTicks: number | null): boolean {
  if (!hasProc) return signalReaches(pid);
  const stat = readStat(pid);
  return stat !== null && !isDead(stat) && (startTicks === null || stat.startTicks === startTicks);
}

export function isDead(stat: ProcessStat): boolean {
  return stat.state === "Z" || stat.state === "X";
}

export function allPids(): number[] {
  if (!hasProc) return [];
  const pids: number[] = [];
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (pid > 0) pids.push(pid);
  }
  return pids;
}

/** Where the system was in handing out pids, before a process was started. */
export type PidsBefore = { readonly begun: number };

/** Null where it does not say. */
export function pidsBefore(): PidsBefore | null {
  const begun = processesBegun();
  return begun === null ? null : { begun };
}

/**
 * Pids of all that can have been started since: by this process, which was started then, or by anybody. Pids are handed out in turn, so
 * they are above its own, until all have been handed out once; only where that cannot have been. Else all there are. Proc(5).
 */
export function pidsSince(before: PidsBefore | null, pid: number): number[] {
  const all = allPids();
  const begun = processesBegun();
  const [last, most] = [lastPid(), numberIn("/proc/sys/kernel/pid_max", /^(\d+)/)];
  if (before === null || begun === null || last === null || most === null) return all;
  // A kernel that counts nothing is no witness; half of all is far from once round.
  const isCounted = begun > before.begun;
  const isOnceRound = last < pid || begun - before.begun > most / 2;
  return isCounted && !isOnceRound ? all.filter((each) => each >= pid) : all;
}

/** With threads, which have pids too. */
function processesBegun(): number | null {
  return numberIn("/proc/stat", /^processes (\d+)$/m);
}

function lastPid(): number | null {
  return numberIn("/proc/loadavg", / (\d+)$/m);
}

function numberIn(file: string, pattern: RegExp): number | null {
  try {
    const found = pattern.exec(readFileSync(file, "latin1"))?.[1];
    return found === undefined ? null : Number(found);
  } catch {
    return null;
  }
}

/** Living members of a process group, by one look at every process. */
export function groupMembers(group: number): ProcessStat[] {
  return allPids()
    .map(readStat)
    .filter((stat): stat is ProcessStat => stat !== null && stat.group === group && !isDead(stat));
}

/** Whether anything of the group lives. A signal 0 answers cheaply when not; zombies need the closer look. */
export function groupIsAlive(group: number): boolean {
  if (!signalReaches(-group)) return false;
  return !hasProc || groupMembers(group).length > 0;
}

/** The value of a variable a process was started with; null when unknown or another user's. */
export function environmentOf(pid: number, variable: string): string | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/environ`, "utf8");
  } catch {
    return null;
  }
  const prefix = `${variable}=`;
  const from = text.startsWith(prefix) ? 0 : text.indexOf(`\0${prefix}`) + 1;
  if (from === 0 && !text.startsWith(prefix)) return null;
  const end = text.indexOf("\0", from);
  return text.slice(from + prefix.length, end === -1 ? undefined : end);
}

/** Sends a signal; an absent process is no error. */
export function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}

function signalReaches(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** Another boot: every pid of before is meaningless. */
export function bootId(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "unknown";
  }
}

let pageBytes: number | null = null;

/** 4 KiB mostly, 16 or 64 on some ARM: found by comparing the two reports of our own memory. */
export function pageSize(): number {
  if (pageBytes === null) {
    const pages = readStat(process.pid)?.residentPages ?? 0;
    const ratio = pages > 0 ? process.memoryUsage.rss() / pages : 4096;
    pageBytes = 2 ** Math.round(Math.log2(ratio));
  }
  return pageBytes;
}
