import { type CertificateFault, certificateFault } from "../certificate-fault.ts";

/** What is wrong between two sides of TLS, and what to do about it. */
export type TlsTrouble = { readonly what: string; readonly hint: string };

const wrongAuthority: TlsTrouble = {
  what: "its certificate is of an authority that tls.ca does not hold",
  hint: "give the certificate of the authority that signed the engine's as tls.ca",
};
const plainPort: TlsTrouble = {
  what: "it does not speak TLS there",
  hint: "give the port of --tlsverify (usually 2376), or start the engine with --tlsverify",
};

const noneShown: TlsTrouble = {
  what: "it wants a certificate of ours, and was shown none",
  hint: "give tls.cert and tls.key, signed by the authority of the engine's --tlscacert",
};

/** What is wrong where we speak in clear and the engine does not. */
export const tlsPort: TlsTrouble = {
  what: "it speaks TLS there, and no certificates of ours are given",
  hint: "give the host tls: { ca, cert, key }, or the port without TLS",
};

/** What Go's server says of it, in clear. */
export const isTlsPort = (answer: string): boolean => /^Client sent an HTTP request to an HTTPS server/i.test(answer);

const byFault: Readonly<Record<CertificateFault, TlsTrouble>> = {
  over: {
    what: "its certificate is over",
    hint: "renew the engine's certificate, and look at this machine's clock",
  },
  early: {
    what: "its certificate does not hold yet",
    hint: "look at this machine's clock, and at the one where the certificate was made",
  },
  "other-names": {
    what: "its certificate is for other names",
    hint: "use one of those names in the host's url, or make a certificate with this name (subjectAltName)",
  },
  "unknown-authority": wrongAuthority,
  incomplete: wrongAuthority,
  forged: wrongAuthority,
};

const plainPortCodes = new Set(["ERR_SSL_WRONG_VERSION_NUMBER", "ERR_SSL_PACKET_LENGTH_TOO_LONG"]);

/** Null: the trouble is another. Alerts are what the engine says of our certificate: OpenSSL's names for them differ by version. */
export function tlsTrouble(code: string): TlsTrouble | null {
  const fault = certificateFault(code);
  if (fault !== null) return byFault[fault];
  if (plainPortCodes.has(code)) return plainPort;
  if (/^ERR_SSL_.*ALERT_CERTIFICATE_REQUIRED/.test(code)) return noneShown;
  if (!/^ERR_SSL_.*ALERT_.*(CERTIFICATE|UNKNOWN_CA)/.test(code)) return null;
  return {
    what: "it does not accept our certificate",
    hint: "give tls.cert and tls.key, signed by the authority of the engine's --tlscacert and not over",
  };
}
