import { statfsSync } from "node:fs";
import { dirname } from "node:path";
import type { Evidence } from "../../../core/errors/error.ts";
import { isSlipwayError, reasonOf, SlipwayError } from "../../../core/errors/error.ts";

/** https://www.sqlite.org/rescode.html, 2026-11: the low byte is the kind, the rest says where. */
const sqlite = { busy: 5, readOnly: 8, ioError: 10, corrupt: 11, full: 13, cannotOpen: 14, notADatabase: 26 } as const;

/** Under this a failed write is put down to the full disk: SQLite reports some of them as a general I/O error. */
const diskFullBytes = 256 * 1024;

/**
 * What a failure of SQLite or of the file system means to a person. A failure of the statement itself (a constraint, bad
 * SQL) is a bug of the caller and comes back as it is.
 */
export function storeError(error: unknown, file: string): unknown {
  if (isSlipwayError(error)) return error;
  const evidence: readonly Evidence[] = [
    ["file", file],
    ["said", reasonOf(error)],
  ];
  const cause = error;
  switch (failureOf(error, file)) {
    case "full":
      return new SlipwayError("DISK_FULL", { message: `no space left for ${file}`, evidence, cause });
    case "corrupt":
      return corruptStore(file, [reasonOf(error)], cause);
    case "failed":
      return new SlipwayError("STORE_FAILED", { message: `could not read or write ${file}`, evidence, cause });
    case "bug":
      return error;
  }
}

/** Nothing was changed; the file is left as it was found. */
export function corruptStore(file: string, findings: readonly string[], cause?: unknown): SlipwayError {
  return new SlipwayError("STORE_CORRUPT", {
    message: `${file} is not a sound state database; nothing was changed`,
    evidence: [["file", file], ...findings.map((finding) => ["found", finding] as const)],
    cause,
  });
}

/** True when another connection has the database locked. */
export const isBusy = (error: unknown): boolean => primaryCode(error) === sqlite.busy;

function failureOf(error: unknown, file: string): "full" | "corrupt" | "failed" | "bug" {
  switch (primaryCode(error)) {
    case sqlite.full:
      return "full";
    case sqlite.corrupt:
    case sqlite.notADatabase:
      return "corrupt";
    case sqlite.busy:
    case sqlite.readOnly:
      return "failed";
    case sqlite.ioError:
    case sqlite.cannotOpen:
      return hasSpace(file) ? "failed" : "full";
  }
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOSPC" || code === "EDQUOT") return "full";
  return error instanceof Error && "syscall" in error ? "failed" : "bug";
}

function primaryCode(error: unknown): number | null {
  const code = error instanceof Error && "errcode" in error ? error.errcode : undefined;
  return typeof code === "number" ? code & 0xff : null;
}

function hasSpace(file: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(dirname(file));
    return bavail * bsize >= diskFullBytes;
  } catch {
    return true;
  }
}
