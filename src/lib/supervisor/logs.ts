import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { LogRecord, Selector } from "./contract.ts";
import { LogFile, type LogFileOptions, LogSnapshot } from "./log-file.ts";

export const defaultLogOptions: LogFileOptions = { maxBytes: 10 * 1024 * 1024, keep: 3 };

/** Logs of units that were removed stay for reading after a failure, this many of them. */
const removedLogsKept = 50;

export type LogListener = (unit: LoggedUnit, lines: readonly string[]) => void;

/** What is known of the unit that a log belongs to. */
export type LoggedUnit = { readonly key: string; readonly labels: Readonly<Record<string, string>> };

/** The log files of all units, one for each: `<key>.log`, JSON lines `{at, stream, instance, …labels, text}`. */
export class Logs {
  readonly #directory: string;
  readonly #options: LogFileOptions;
  readonly #open = new Map<string, { readonly unit: LoggedUnit; readonly file: LogFile }>();
  readonly #listeners = new Set<LogListener>();

  constructor(directory: string, options: LogFileOptions) {
    this.#directory = directory;
    this.#options = options;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  write(unit: LoggedUnit, records: readonly Omit<LogRecord, "labels" | "unit">[]): void {
    if (records.length === 0) return;
    const file = this.#fileOf(unit);
    const lines = records.map(({ at, stream, instance, text }) =>
      JSON.stringify({ at, stream, instance, ...unit.labels, text }),
    );
    const lost = file.takeLost();
    const last = records.at(-1);
    if (lost > 0 && last !== undefined) {
      const text = `${lost} log lines before this were lost: the disk refused them`;
      const line = { at: last.at, stream: "supervisor", instance: last.instance, ...unit.labels, text };
      lines.unshift(JSON.stringify(line));
    }
    file.append(lines);
    for (const listener of this.#listeners) listener(unit, lines);
  }

  /** Closes the unit's file; it stays on disk until enough younger ones have followed. */
  retire(key: string, living: ReadonlySet<string>): void {
    this.#open.get(key)?.file.close();
    this.#open.delete(key);
    const removed = this.#keysOnDisk().filter((each) => !living.has(each));
    const byAge = removed.map((each) => ({ each, at: modifiedAt(this.#path(each)) })).sort((a, b) => b.at - a.at);
    for (const { each } of byAge.slice(removedLogsKept)) {
      for (const suffix of ["", ...Array.from({ length: this.#options.keep }, (_, i) => `.${i + 1}`)]) {
        rmSync(this.#path(each) + suffix, { force: true });
      }
    }
  }

  listen(listener: LogListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The selected units' lines of this moment, also of removed units, in order of time: the newest `tail`, or all. */
  *read(selector: Selector, tail: number | null): Generator<string[]> {
    const snapshots = this.#keysOnDisk()
      .filter((key) => selector.key === undefined || selector.key === key)
      .map((key) => ({ key, snapshot: new LogSnapshot(this.#path(key), this.#options.keep) }));
    try {
      const chosen = snapshots.filter(({ key, snapshot }) => matches(this.#unitOf(key, snapshot), selector));
      if (tail !== null) {
        const lines = chosen.flatMap(({ snapshot }) => snapshot.tail(tail));
        const newest =
          chosen.length > 1 ? lines.sort((a, b) => timeOf(a) - timeOf(b)).slice(-tail || lines.length) : lines;
        if (tail > 0) yield newest;
      } else {
        yield* mergeByTime(chosen.map(({ snapshot }) => snapshot.all()));
      }
    } finally {
      for (const { snapshot } of snapshots) snapshot.close();
    }
  }

  close(): void {
    for (const { file } of this.#open.values()) file.close();
    this.#open.clear();
  }

  #fileOf(unit: LoggedUnit): LogFile {
    let entry = this.#open.get(unit.key);
    if (entry === undefined) {
      entry = { unit, file: new LogFile(this.#path(unit.key), this.#options) };
      this.#open.set(unit.key, entry);
    }
    return entry.file;
  }

  #path(key: string): string {
    return join(this.#directory, `${key}.log`);
  }

  #keysOnDisk(): string[] {
    const names = readdirSync(this.#directory);
    return names.filter((name) => name.endsWith(".log")).map((name) => name.slice(0, -".log".length));
  }

  /** A removed unit's labels are in its lines. */
  #unitOf(key: string, snapshot: LogSnapshot): LoggedUnit {
    const open = this.#open.get(key);
    if (open !== undefined) return open.unit;
    const line = snapshot.tail(1)[0];
    return { key, labels: line === undefined ? {} : recordOf(line).labels };
  }
}

/** A line of a log file as a record. A line that a full disk cut short is shown as it is. */
export function recordOf(line: string): LogRecord {
  try {
    const { at, stream, instance, text, ...labels } = JSON.parse(line) as LogRecord & Record<string, string>;
    return { at, stream, instance, unit: instance.slice(0, instance.lastIndexOf(".")), labels, text };
  } catch {
    return { at: timeOf(line), stream: "supervisor", instance: "", unit: "", labels: {}, text: line };
  }
}

export function matches(unit: LoggedUnit, selector: Selector): boolean {
  if (selector.key !== undefined && selector.key !== unit.key) return false;
  return Object.entries(selector.labels ?? {}).every(([name, value]) => unit.labels[name] === value);
}

/** Lines begin with `{"at":<ms>,`: no need to parse all of it. */
function timeOf(line: string): number {
  return Number(line.slice(6, line.indexOf(","))) || 0;
}

/** Each source is in order already, or as good as: a clock that was set back does not reorder one unit's lines. */
function* mergeByTime(sources: readonly Generator<string[]>[]): Generator<string[]> {
  const heads = sources.map((source) => ({ source, lines: [] as string[], next: 0 }));
  for (;;) {
    const open = heads.filter(refill);
    const [only] = open;
    if (only === undefined) return;
    if (open.length === 1) {
      yield only.lines.slice(only.next);
      only.next = only.lines.length;
      continue;
    }
    const merged: string[] = [];
    // Until one of them has no more lines at hand: then it is refilled first.
    while (open.every(({ lines, next }) => next < lines.length)) {
      const first = open.reduce((a, b) => (headTime(b) < headTime(a) ? b : a));
      merged.push(first.lines[first.next++] as string);
    }
    yield merged;
  }
}

type Head = { readonly source: Generator<string[]>; lines: string[]; next: number };

function refill(head: Head): boolean {
  while (head.next >= head.lines.length) {
    const more = head.source.next();
    if (more.done) return false;
    head.lines = more.value;
    head.next = 0;
  }
  return true;
}

function headTime(head: Head): number {
  return timeOf(head.lines[head.next] ?? "");
}

function modifiedAt(file: string): number {
  try {
    return statSync(file).mtimeMs;
  } catch {
    return 0;
  }
}
