// CPU time of a process and all its descendants, from /proc (Linux only).
import { readdirSync, readFileSync } from "node:fs";

/** Kernel ticks a second; 100 on every Linux that Node runs on (sysconf(_SC_CLK_TCK)). */
const ticksASecond = 100;

/** Microseconds of user and system time that a process has used so far, without its children. */
export function ownCpuUs(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) / ticksASecond) * 1e6;
}

/** Microseconds of user and system time that the tree of `pid` has used so far. */
export function treeCpuUs(pid) {
  const children = new Map();
  const ticks = new Map();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "latin1");
      // The command's name may hold spaces and brackets; the fields begin after the last one.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      const parent = Number(fields[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
      ticks.set(Number(name), Number(fields[11]) + Number(fields[12]));
    } catch {
      // It has ended meanwhile.
    }
  }
  let sum = 0;
  for (const todo = [pid]; todo.length > 0; ) {
    const one = todo.pop();
    sum += ticks.get(one) ?? 0;
    todo.push(...(children.get(one) ?? []));
  }
  return (sum / ticksASecond) * 1e6;
}
