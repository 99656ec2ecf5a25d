import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { reasonOf } from "../../../core/errors/error.ts";
import type { EdgeConfig } from "../../../ports/edge.ts";
import type { Place } from "./place.ts";

export type CertificateCopies = {
  /** The config with our own copies in the place of the files; without those that were never good. */
  readonly config: EdgeConfig;
  /** What is wrong with the newest files, by host. */
  readonly troubles: Readonly<Record<string, string>>;
};

type Kept = Record<string, { readonly certFile: string; readonly keyFile: string }>;

/**
 * Copies of the certificates that a config names, each whole and belonging to its key. Caddy refuses a whole config for one bad
 * file, and would come up without it after a restart; so it is given only what has been looked at, and a renewal that is half
 * written, or gone, leaves the one before in use. Copies are 0600, named by their content: another content is another config.
 */
export async function copyCertificates(config: EdgeConfig, place: Place): Promise<CertificateCopies> {
  const index = `${place.paths.certificates}/index.json`;
  const kept = JSON.parse((await place.read(index)) ?? "{}") as Kept;
  const before = JSON.stringify(kept);
  const troubles: Record<string, string> = {};
  const listeners = [];
  for (const listener of config.listeners) {
    if (listener.tls === null) {
      listeners.push(listener);
      continue;
    }
    const certificates = [];
    for (const pair of listener.tls.certificates) {
      const key = JSON.stringify([pair.certFile, pair.keyFile]);
      const copy = await goodCopy(pair, place).catch((error: unknown) => {
        for (const host of pair.hosts) troubles[host] = reasonOf(error);
        return kept[key] ?? null;
      });
      if (copy === null) continue;
      kept[key] = copy;
      certificates.push({ ...copy, hosts: pair.hosts });
    }
    listeners.push({ ...listener, tls: { ...listener.tls, certificates } });
  }
  if (JSON.stringify(kept) !== before) await place.write(index, JSON.stringify(kept));
  return { config: { ...config, listeners }, troubles };
}

async function goodCopy(pair: { readonly certFile: string; readonly keyFile: string }, place: Place) {
  const [certificate, key] = [await text(pair.certFile, place), await text(pair.keyFile, place)];
  let parsed: X509Certificate;
  try {
    parsed = new X509Certificate(certificate);
  } catch (error) {
    throw new Error(`${pair.certFile} holds no certificate: ${reasonOf(error)}`);
  }
  try {
    if (!parsed.checkPrivateKey(createPrivateKey(key))) throw new Error("it belongs to another certificate");
  } catch (error) {
    throw new Error(`${pair.keyFile} is no key for ${pair.certFile}: ${reasonOf(error)}`);
  }
  const digest = createHash("sha256").update(certificate).update("\0").update(key).digest("hex").slice(0, 16);
  const copy = {
    certFile: `${place.paths.certificates}/${digest}.pem`,
    keyFile: `${place.paths.certificates}/${digest}.key`,
  };
  if ((await place.read(copy.certFile)) !== certificate) await place.write(copy.certFile, certificate);
  if ((await place.read(copy.keyFile)) !== key) await place.write(copy.keyFile, key);
  return copy;
}

async function text(file: string, place: Place): Promise<string> {
  const content = await place.read(file);
  if (content === null) throw new Error(`${file} is not there`);
  return content;
}
