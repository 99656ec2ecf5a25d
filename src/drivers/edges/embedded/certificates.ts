import { createPrivateKey, X509Certificate } from "node:crypto";
import { open, stat } from "node:fs/promises";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import type { CertificateStatus, TlsConfig } from "../../../ports/edge.ts";

const maxFileBytes = 1_048_576;

/** Mozilla's intermediate set: only authenticated ciphers with forward secrecy, so none that HTTP/2 forbids (RFC 9113 §9.2.2). */
const ciphers = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
].join(":");

/** What every context of the edge has, with a certificate or without. */
export const secureBase = { minVersion: "TLSv1.2", ciphers } as const satisfies SecureContextOptions;

/** A pair of files that can be served. */
type Loaded = {
  readonly options: SecureContextOptions;
  readonly context: SecureContext;
  readonly issuer: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
};

type Entry = {
  readonly files: TlsConfig["certificates"][number];
  /** Which state of the files was read last. */
  stamp: string;
  loaded: Loaded | null;
  trouble: string | null;
};

/**
 * The certificates of one listener in one worker; private keys are in its memory and nowhere else. A pair of files that
 * cannot be served leaves the one that was read before in use.
 */
export class Certificates {
  #entries: Entry[] = [];
  #exact = new Map<string, Loaded>();
  #wildcard = new Map<string, Loaded>();
  #first: Loaded | null = null;

  /** For clients that name no host, and hosts that no certificate names. */
  get first(): SecureContextOptions | null {
    return this.#first?.options ?? null;
  }

  /** For the host a client asks for (RFC 6066 §3): its own, then a wildcard's, then the first; null when there is none at all. */
  forHost(name: string): SecureContext | null {
    const host = name.toLowerCase().replace(/\.$/, "");
    const found = this.#exact.get(host) ?? this.#wildcard.get(host.slice(host.indexOf(".") + 1)) ?? this.#first;
    return found?.context ?? null;
  }

  /** Reads what is new or has changed. True when anything is served otherwise than before. */
  async read(wanted: TlsConfig["certificates"]): Promise<boolean> {
    const known = new Map(this.#entries.map((entry) => [JSON.stringify(entry.files), entry]));
    const entries = wanted.map(
      (files) => known.get(JSON.stringify(files)) ?? { files, stamp: "", loaded: null, trouble: null },
    );
    const before = this.#entries.map((entry) => entry.loaded);
    await Promise.all(entries.map(refresh));
    this.#entries = entries;
    const changed = entries.length !== before.length || entries.some((entry, index) => entry.loaded !== before[index]);
    if (changed) this.#index();
    return changed;
  }

  status(listener: string, nowMs: number): CertificateStatus[] {
    return this.#entries.map(({ files, loaded, trouble }) => ({
      listener,
      hosts: files.hosts,
      issuer: loaded?.issuer ?? "",
      notBefore: loaded?.notBeforeMs ?? 0,
      notAfter: loaded?.notAfterMs ?? 0,
      trouble: trouble ?? expiry(loaded, nowMs),
    }));
  }

  #index(): void {
    this.#exact = new Map();
    this.#wildcard = new Map();
    this.#first = null;
    for (const { files, loaded } of this.#entries) {
      if (loaded === null) continue;
      this.#first ??= loaded;
      for (const name of files.hosts.map((host) => host.toLowerCase())) {
        const [into, key] = name.startsWith("*.") ? [this.#wildcard, name.slice(2)] : [this.#exact, name];
        if (!into.has(key)) into.set(key, loaded);
      }
    }
  }
}

async function refresh(entry: Entry): Promise<void> {
  const { files } = entry;
  try {
    const stamp = `${await stampOf(files.certFile)} ${await stampOf(files.keyFile)}`;
    if (stamp === entry.stamp) return;
    // Remembered before it is read: what changes meanwhile is read the next time.
    entry.stamp = stamp;
    entry.loaded = load(await readPem(files.certFile), await readPem(files.keyFile));
    entry.trouble = unnamedHosts(entry);
  } catch (error) {
    // What the system refuses may be there again unchanged; what cannot be served stays so until it changes.
    if ((error as NodeJS.ErrnoException).syscall !== undefined) entry.stamp = "";
    entry.trouble = troubleOf(error);
  }
}

/** Throws when the two do not belong together: the one of them that is replaced first must wait for the other. */
function load(cert: string, key: string): Loaded {
  const x509 = new X509Certificate(cert);
  if (!x509.checkPrivateKey(createPrivateKey(key))) throw new Error("the key does not belong to the certificate");
  const options = { ...secureBase, cert, key };
  return {
    options,
    context: createSecureContext(options),
    issuer: issuerOf(x509),
    notBeforeMs: Date.parse(x509.validFrom),
    notAfterMs: Date.parse(x509.validTo),
  };
}

/** The name by which people know the CA. */
function issuerOf({ issuer }: X509Certificate): string {
  const parts = new Map(
    issuer.split("\n").map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
  return parts.get("CN") ?? parts.get("O") ?? issuer.replaceAll("\n", ", ");
}

function unnamedHosts({ files, loaded }: Entry): string | null {
  if (loaded === null) return null;
  const x509 = new X509Certificate(String(loaded.options.cert));
  const missing = files.hosts.filter((host) => x509.checkHost(host.replace(/^\*\./, "any.")) === undefined);
  return missing.length === 0 ? null : `the certificate does not name ${missing.join(", ")}`;
}

function expiry(loaded: Loaded | null, nowMs: number): string | null {
  return loaded !== null && loaded.notAfterMs <= nowMs
    ? `expired on ${new Date(loaded.notAfterMs).toISOString()}`
    : null;
}

/** Links are followed, so a swapped link is a change. */
async function stampOf(file: string): Promise<string> {
  const { ino, size, mtimeMs, ctimeMs } = await stat(file);
  return `${ino}:${size}:${mtimeMs}:${ctimeMs}`;
}

async function readPem(file: string): Promise<string> {
  const handle = await open(file, "r");
  try {
    if ((await handle.stat()).size > maxFileBytes) throw new Error(`${file} is no PEM file: it is too large`);
    return await handle.readFile("utf8");
  } finally {
    await handle.close();
  }
}

/** Names the file, never what is in it. */
function troubleOf(error: unknown): string {
  const { code, path, message } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return `${path} is not there`;
  if (path !== undefined) return `${path} cannot be read: ${code}`;
  return code?.startsWith("ERR_OSSL") === true ? `not a PEM certificate and key: ${message}` : message;
}
