import { hkdfSync, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

const keyBytes = 32;

/** What is wrong with a key's file. The hint says what to do about it. */
export class KeyFileError extends Error {
  override readonly name = "KeyFileError";
  readonly hint: string | null;

  constructor(message: string, hint: string | null) {
    super(message);
    this.hint = hint;
  }
}

/** The key in a file of its own; null when there is none. Errors: KeyFileError, when others may read it or it holds none. */
export function readKey(file: string): Buffer | null {
  if (!existsSync(file)) return null;
  const { mode } = statSync(file);
  if ((mode & 0o077) !== 0) {
    const hint = `run: chmod 600 ${file}; and set the secrets anew if somebody has read it`;
    throw new KeyFileError(`others than its owner may read the key ${file}`, hint);
  }
  const key = Buffer.from(readFileSync(file, "utf8").trim(), "base64");
  if (key.length === keyBytes) return key;
  throw new KeyFileError(`${file} holds no key of ${keyBytes} bytes`, null);
}

/** The same, made where there is none: on the disk before anything is sealed with it. Errors: as `readKey`. */
export function readOrMakeKey(file: string): Buffer {
  const known = readKey(file);
  if (known !== null) return known;
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  try {
    writeFileSync(file, `${randomBytes(keyBytes).toString("base64url")}\n`, { mode: 0o600, flag: "wx", flush: true });
  } catch (error) {
    // Another was faster: theirs is the key.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const made = readKey(file);
  if (made === null) throw new KeyFileError(`${file} was removed as soon as it was made`, null);
  return made;
}

/** For each purpose a key of its own. */
export function derivedKey(key: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync("sha256", key, "", `slipway ${purpose}`, keyBytes));
}
