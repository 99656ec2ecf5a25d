import { type Request, requestLimits, type Selector, SupervisorError, type UnitSpec } from "./contract.ts";

/** Keys name files and instances. */
const keyPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
const labelPattern = /^[A-Za-z][A-Za-z0-9_-]{0,39}$/;
/** What a log line says of itself; a label of that name would hide it. */
const reservedLabels = new Set(["at", "stream", "instance", "unit", "text"]);
/** Nicer than that nobody is (setpriority(2)). */
const mostNiceness = 19;
/** The most that a kernel can hand out: https://man7.org/linux/man-pages/man5/proc_sys_kernel.5.html (pid_max). */
const mostPids = 4_194_304;
const maxTextLength = 128 * 1024;

/** A request line as a request. Checked by hand: the daemon stays small and starts fast. Throws BAD_REQUEST. */
export function parseRequest(line: string): Request {
  const value = object(parse(line), "request");
  const call = value.call;
  switch (call) {
    case "hello":
    case "leave":
    case "shutdown":
      return { call };
    case "ensure":
      return { call, spec: spec(value.spec), instances: whole(value.instances, "instances", requestLimits.instances) };
    case "observe":
    case "watch":
      return { call, selector: selector(value.selector) };
    case "remove":
      return { call, key: text(value.key, "key") };
    case "restart":
      return { call, instance: text(value.instance, "instance"), startedAt: positive(value.startedAt, "startedAt") };
    case "logs":
      return {
        call,
        selector: selector(value.selector),
        tail: value.tail === null ? null : whole(value.tail, "tail", requestLimits.tailLines),
        follow: value.follow === true,
      };
    default:
      throw bad(`unknown call ${JSON.stringify(call)}`);
  }
}

function spec(value: unknown): UnitSpec {
  const each = object(value, "spec");
  const key = text(each.key, "key");
  if (!keyPattern.test(key))
    throw bad(`the key ${JSON.stringify(key)} is not letters, digits, dot, dash and underscore`);
  if (each.mode !== "service" && each.mode !== "job") throw bad("mode is service or job");
  const labels = texts(each.labels, "labels");
  for (const name of Object.keys(labels)) {
    if (!labelPattern.test(name) || reservedLabels.has(name)) throw bad(`${JSON.stringify(name)} cannot be a label`);
  }
  if (Object.keys(labels).length > requestLimits.labels) throw bad(`more than ${requestLimits.labels} labels`);
  const env = texts(each.env, "env");
  for (const name of Object.keys(env)) {
    if (name === "" || name.includes("=")) throw bad(`${JSON.stringify(name)} cannot name a variable`);
  }
  return {
    key,
    labels,
    notes: texts(each.notes, "notes"),
    mode: each.mode,
    command: command(each.command),
    ...(each.otherwise !== undefined && { otherwise: otherwise(each.otherwise) }),
    cwd: text(each.cwd, "cwd"),
    env,
    idVariable: each.idVariable === null ? null : text(each.idVariable, "idVariable"),
    port: each.port === true,
    stopGraceMs: positive(each.stopGraceMs, "stopGraceMs"),
    memoryBytes: each.memoryBytes === null ? null : positive(each.memoryBytes, "memoryBytes"),
    cpus: each.cpus === null ? null : positive(each.cpus, "cpus"),
    ...(each.outputFile !== undefined && { outputFile: text(each.outputFile, "outputFile") }),
    ...(each.niceness !== undefined && { niceness: whole(each.niceness, "niceness", mostNiceness) }),
    ...(each.processes !== undefined && { processes: whole(each.processes, "processes", mostPids) }),
  };
}

function selector(value: unknown): Selector {
  const each = object(value, "selector");
  return {
    ...(each.key !== undefined && { key: text(each.key, "key") }),
    ...(each.labels !== undefined && { labels: texts(each.labels, "labels") }),
  };
}

function command(value: unknown): readonly string[] {
  if (!Array.isArray(value) || value.length === 0) throw bad("command is a list of one or more texts");
  const parts = value.map((part) => text(part, "command"));
  if (parts[0] === "") throw bad("the command is empty");
  return parts;
}

function otherwise(value: unknown): NonNullable<UnitSpec["otherwise"]> {
  const each = object(value, "otherwise");
  return { without: text(each.without, "otherwise.without"), command: command(each.command) };
}

function texts(value: unknown, name: string): Readonly<Record<string, string>> {
  const entries = Object.entries(object(value, name)).map(
    ([key, each]) => [key, text(each, `${name}.${key}`)] as const,
  );
  return Object.fromEntries(entries);
}

function text(value: unknown, name: string): string {
  if (typeof value !== "string") throw bad(`${name} is no text`);
  if (value.includes("\0")) throw bad(`${name} holds a NUL`);
  if (value.length > maxTextLength) throw bad(`${name} is longer than ${maxTextLength}`);
  return value;
}

function whole(value: unknown, name: string, most: number): number {
  if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > most) {
    throw bad(`${name} is not a whole number from 0 to ${most}`);
  }
  return value as number;
}

function positive(value: unknown, name: string): number {
  if (typeof value !== "number" || !(value >= 0) || !Number.isFinite(value))
    throw bad(`${name} is not a positive number`);
  return value;
}

function object(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw bad(`${name} is no object`);
  return value as Record<string, unknown>;
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw bad("the request is not JSON");
  }
}

function bad(message: string): SupervisorError {
  return new SupervisorError("BAD_REQUEST", message);
}
