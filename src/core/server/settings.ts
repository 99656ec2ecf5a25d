import { parseCidr } from "../product/addresses.ts";

/** Where a Caddy that is new enough comes from when the host has none. */
export type EdgeSource =
  /** The distribution's, when it is new enough; else the bootstrap is refused, with the choices. */
  | { readonly is: "distribution" }
  /** Caddy's own apt repository; its key is downloaded and must have this fingerprint. */
  | { readonly is: "official" }
  /** A mirror laid out like Caddy's own repository, with the key that signs it. */
  | { readonly is: "mirror"; readonly url: string; readonly armoredKey: string }
  /** No Caddy: the embedded edge, or a container. */
  | { readonly is: "none" };

export type OpenPort = { readonly port: number; readonly protocol: "tcp" | "udp" };

/**
 * What a bootstrap is asked for. Every value has passed `parse…` below: nothing else reaches the script. Null is what the server
 * remembers of the bootstrap before, else the default: a second bootstrap without its options closes no port.
 */
export type ServerSettings = {
  /** Default `deploy`. */
  readonly deployUser: string | null;
  /** Public keys that may log in as the deploy user; none is: those of the user who runs the bootstrap. */
  readonly keys: readonly string[];
  /** Default: the distribution's. */
  readonly edge: EdgeSource | null;
  /** Opened besides SSH, 80 and 443. Default: none. */
  readonly open: readonly OpenPort[] | null;
  /** Ranges that may reach everything: the other hosts of the environment, on their private network. Default: none. */
  readonly trust: readonly string[] | null;
  /** Changes that could lock the operator out are taken back after this, unless confirmed by a new login. */
  readonly undoAfterS: number;
};

export const defaultSettings: ServerSettings = {
  deployUser: null,
  keys: [],
  edge: null,
  open: null,
  trust: null,
  undoAfterS: 120,
};

/** As useradd of Debian takes it, shorter; never a name that a system has already. */
export function parseUserName(text: string): string | null {
  return /^[a-z][a-z0-9-]{0,30}$/.test(text) && !systemUsers.has(text) ? text : null;
}

const systemUsers = new Set(
  "root daemon bin sys sync games man lp mail news uucp proxy www-data backup list irc nobody caddy docker sshd messagebus".split(
    " ",
  ),
);

const keyTypes =
  "ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)|sk-ssh-ed25519@openssh\\.com|sk-ecdsa-sha2-nistp256@openssh\\.com";
const keyLine = new RegExp(`^(${keyTypes}) ([A-Za-z0-9+/]{40,8192}={0,3})(?:\\s+(.*))?$`);

/** A line of a `.pub` file, its comment reduced to harmless characters. Null for anything else: a private key, options, DSA. */
export function parsePublicKey(line: string): string | null {
  const found = keyLine.exec(line.trim());
  if (found === null) return null;
  const comment = (found[3] ?? "").replace(/[^A-Za-z0-9@._+-]+/g, "-").slice(0, 100);
  return [found[1], found[2], ...(comment === "" ? [] : [comment])].join(" ");
}

/** `5432`, `5432/tcp` or `51820/udp`. */
export function parseOpenPort(text: string): OpenPort | null {
  const found = /^(\d{1,5})(?:\/(tcp|udp))?$/.exec(text);
  const port = Number(found?.[1]);
  if (found === null || port < 1 || port > 65_535) return null;
  return { port, protocol: found[2] === "udp" ? "udp" : "tcp" };
}

/** An address or a range; never everything, which would be no firewall. */
export function parseTrusted(text: string): string | null {
  const cidr = parseCidr(text);
  return cidr === null || cidr.endsWith("/0") ? null : cidr;
}

/** An http or https address without user, query or fragment, of harmless characters. */
export function parseMirrorUrl(text: string): string | null {
  return /^https?:\/\/[A-Za-z0-9.-]+(?::\d{1,5})?(?:\/[A-Za-z0-9._~-]+)*\/?$/.test(text)
    ? text.replace(/\/$/, "")
    : null;
}

const maxKeyChars = 65_536;

/** An OpenPGP public key in ASCII armour. */
export function parseArmoredKey(text: string): string | null {
  const trimmed = text.replaceAll("\r\n", "\n").trim();
  const shape =
    /^-----BEGIN PGP PUBLIC KEY BLOCK-----\n[A-Za-z0-9+/=:.,()@<> \n-]+\n-----END PGP PUBLIC KEY BLOCK-----$/;
  return trimmed.length <= maxKeyChars && shape.test(trimmed) ? trimmed : null;
}

export function parseUndoSeconds(text: string): number | null {
  const seconds = /^\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
  return seconds >= 5 && seconds <= 900 ? seconds : null;
}
