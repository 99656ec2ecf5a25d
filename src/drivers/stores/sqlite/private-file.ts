import { closeSync, openSync } from "node:fs";

/**
 * Makes an empty file for the owner's eyes only; SQLite gives its side files the same mode. False when there is one
 * already: it is not even opened, because closing any descriptor of a file drops the process's POSIX locks on it.
 */
export function createPrivate(file: string): boolean {
  try {
    closeSync(openSync(file, "wx", 0o600));
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}
