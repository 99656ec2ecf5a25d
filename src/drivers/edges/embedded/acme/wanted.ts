import { createHash } from "node:crypto";
import { join } from "node:path";
import type { EdgeConfig, TlsConfig } from "../../../../ports/edge.ts";
import { readHost } from "../host.ts";

/** https://letsencrypt.org/docs/acme-protocol-updates/ */
export const defaultDirectoryUrl = "https://acme-v02.api.letsencrypt.org/directory";

/** A certificate that the edge gets by itself. */
export type WantedCertificate = {
  readonly host: string;
  readonly directoryUrl: string;
  readonly caFile: string | null;
  readonly email: string | null;
  /** Chain and key in one, so that they are replaced together; mode 0600. */
  readonly file: string;
  /** Why it cannot be got at all; null when it can. */
  readonly impossible: string | null;
};

/** What ACME is to get for this config, each once. */
export function wantedCertificates(config: EdgeConfig, directory: string): WantedCertificate[] {
  const wanted = new Map<string, WantedCertificate>();
  const plain = config.listeners.some(({ tls }) => tls === null);
  for (const { tls } of config.listeners)
    for (const { acme, host } of acmeHosts(tls)) {
      const file = fileOf(acme, host, directory);
      const impossible = whyImpossible(host, plain);
      const { caFile, email } = acme;
      wanted.set(file, {
        host,
        directoryUrl: acme.directoryUrl ?? defaultDirectoryUrl,
        caFile,
        email,
        file,
        impossible,
      });
    }
  return [...wanted.values()];
}

/** The config as workers know it: what ACME gets are files like any other, which may not be there yet. */
export function withAcmeFiles(config: EdgeConfig, directory: string): EdgeConfig {
  return {
    ...config,
    listeners: config.listeners.map((listener) => {
      const { tls } = listener;
      if (tls === null || tls.acme === null) return listener;
      const got = acmeHosts(tls).map(({ acme, host }) => {
        const file = fileOf(acme, host, directory);
        return { hosts: [host], certFile: file, keyFile: file };
      });
      return { ...listener, tls: { ...tls, certificates: [...tls.certificates, ...got] } };
    }),
  };
}

type Acme = NonNullable<TlsConfig["acme"]>;

function acmeHosts(tls: TlsConfig | null): { readonly acme: Acme; readonly host: string }[] {
  if (tls === null || tls.acme === null) return [];
  const { acme } = tls;
  return acme.hosts.map((host) => ({ acme, host: host.toLowerCase() }));
}

/** Another CA has another folder: a staging certificate is never served where a real one is wanted. */
function fileOf(acme: Acme, host: string, directory: string): string {
  const ca = createHash("sha256")
    .update(acme.directoryUrl ?? defaultDirectoryUrl)
    .digest("hex")
    .slice(0, 16);
  return join(directory, "acme", ca, `${encodeURIComponent(host)}.pem`);
}

function whyImpossible(host: string, plain: boolean): string | null {
  if (host.startsWith("*.")) return "a wildcard is only given for a proof by DNS; name the hosts, or bring a file";
  const read = readHost(host);
  if (read === null || read.name !== host || /^\[|^[\d.]+$/.test(host)) return "this is no host name";
  return plain ? null : "no listener speaks plain HTTP, where the CA asks (port 80)";
}
