import type { EdgeConfig, TlsConfig } from "../../../../ports/edge.ts";

type Listener = EdgeConfig["listeners"][number];

/** Certificates of all listeners: from files, and those that Caddy gets and renews by itself. */
export function tlsApp(listeners: readonly Listener[]): Record<string, unknown> | null {
  const secure = listeners.flatMap(({ tls }) => (tls === null ? [] : [tls]));
  if (secure.length === 0) return null;
  const files = secure.flatMap((tls) => tls.certificates);
  const acme = secure.flatMap((tls) => (tls.acme === null || tls.acme.hosts.length === 0 ? [] : [tls.acme]));
  const ports = challengePorts(listeners);
  return {
    certificates: {
      ...(files.length === 0
        ? {}
        : {
            load_files: unique(
              files.map(({ certFile, keyFile }) => ({ certificate: certFile, key: keyFile, tags: [tagOf(certFile)] })),
            ),
          }),
      ...(acme.length === 0 ? {} : { automate: [...new Set(acme.flatMap(({ hosts }) => hosts))] }),
    },
    ...(acme.length === 0
      ? {}
      : {
          automation: {
            policies: acme.map((each) => ({
              subjects: each.hosts,
              issuers: [
                {
                  module: "acme",
                  ...(each.directoryUrl === null ? {} : { ca: each.directoryUrl }),
                  ...(each.email === null ? {} : { email: each.email }),
                  ...(each.caFile === null ? {} : { trusted_roots_pem_files: [each.caFile] }),
                  challenges: {
                    http: ports.http === null ? { disabled: true } : { alternate_port: ports.http },
                    "tls-alpn": ports.https === null ? { disabled: true } : { alternate_port: ports.https },
                  },
                },
              ],
            })),
          },
        }),
  };
}

/** Where ACME's challenges arrive: the first plain listener, and the first that speaks TLS. */
export function challengePorts(listeners: readonly Listener[]): {
  readonly http: number | null;
  readonly https: number | null;
} {
  return {
    http: listeners.find(({ tls }) => tls === null)?.port ?? null,
    https: listeners.find(({ tls }) => tls !== null)?.port ?? null,
  };
}

/** Which certificate a client is shown: of the file that names its host, else what Caddy has for it. */
export function connectionPolicies(tls: TlsConfig): unknown[] {
  const minimum = { protocol_min: "tls1.2", alpn: tls.http2 ? ["h2", "http/1.1"] : ["http/1.1"] };
  const named = tls.certificates.map(({ hosts, certFile }) => ({
    ...minimum,
    match: { sni: hosts },
    certificate_selection: { any_tag: [tagOf(certFile)] },
  }));
  const first = tls.certificates[0];
  const others =
    first === undefined || tls.acme !== null
      ? minimum
      : { ...minimum, certificate_selection: { any_tag: [tagOf(first.certFile)] } };
  return [...named, others];
}

function tagOf(certFile: string): string {
  return `file:${certFile}`;
}

function unique<T>(values: readonly T[]): T[] {
  return [...new Map(values.map((value) => [JSON.stringify(value), value])).values()];
}
