import { readFileSync, statSync } from "node:fs";
import { reasonOf, SlipwayError } from "../../core/errors/error.ts";
import {
  defaultSettings,
  type EdgeSource,
  parseArmoredKey,
  parseMirrorUrl,
  parseOpenPort,
  parsePublicKey,
  parseTrusted,
  parseUndoSeconds,
  parseUserName,
  type ServerSettings,
} from "../../core/server/settings.ts";

/** Options of `slipway server` that say how a server should be. */
export type ServerOptions = {
  readonly user?: string;
  readonly key?: readonly string[];
  readonly caddy?: "distribution" | "official" | "none";
  readonly caddyMirror?: string;
  readonly caddyKey?: string;
  readonly open?: readonly string[];
  readonly trust?: readonly string[];
  readonly undoAfter?: string;
  readonly sshConfig?: string;
};

/** Keys are small; what is larger is another file. */
const maxFileBytes = 65_536;

/** The options as settings of the script: every value read, checked, and put into its one form. Throws USAGE for the first that is none. */
export function settingsOf(options: ServerOptions): ServerSettings {
  return {
    deployUser:
      options.user === undefined
        ? null
        : read("--user", options.user, parseUserName, "small letters, digits and dashes"),
    keys: (options.key ?? []).flatMap(publicKeys),
    edge: edgeOf(options),
    open: options.open?.map((text) => read("--open", text, parseOpenPort, "like 5432 or 51820/udp")) ?? null,
    trust:
      options.trust?.map((text) => read("--trust", text, parseTrusted, "like 10.0.0.0/16; not everything")) ?? null,
    undoAfterS:
      options.undoAfter === undefined
        ? defaultSettings.undoAfterS
        : read("--undo-after", options.undoAfter, parseUndoSeconds, "5 to 900 seconds"),
  };
}

function edgeOf({ caddy, caddyMirror, caddyKey }: ServerOptions): EdgeSource | null {
  if (caddyMirror === undefined) return caddy === undefined ? null : { is: caddy };
  if (caddy !== undefined)
    throw usage("--caddy and --caddy-mirror are two answers to one question", "pass one of them");
  if (caddyKey === undefined)
    throw usage("--caddy-mirror needs the key that signs it", "pass --caddy-key <file>, in ASCII armour");
  return {
    is: "mirror",
    url: read("--caddy-mirror", caddyMirror, parseMirrorUrl, "an http or https address"),
    armoredKey: read("--caddy-key", textOf(caddyKey), parseArmoredKey, "an OpenPGP public key in ASCII armour"),
  };
}

function publicKeys(file: string): readonly string[] {
  const lines = textOf(file)
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("#"));
  const keys = lines.map(parsePublicKey);
  if (keys.length === 0 || keys.includes(null)) {
    throw usage(`${file} is not a file of public keys`, "pass the file that ends in .pub, never the private key");
  }
  return keys.filter((key) => key !== null);
}

function textOf(file: string): string {
  try {
    if (statSync(file).size > maxFileBytes) throw new Error(`it has more than ${maxFileBytes} bytes`);
    return readFileSync(file, "utf8");
  } catch (error) {
    throw usage(`${file} cannot be read: ${reasonOf(error)}`, "check the path");
  }
}

/** The value is not repeated in the message when it is long: it may be a key's text. */
function read<Value>(option: string, text: string, parse: (text: string) => Value | null, allowed: string): Value {
  const value = parse(text);
  if (value !== null) return value;
  throw usage(`${option}: ${text.length > 100 ? "this" : JSON.stringify(text)} is not possible`, allowed);
}

function usage(message: string, hint: string): SlipwayError {
  return new SlipwayError("USAGE", { message, hint });
}
