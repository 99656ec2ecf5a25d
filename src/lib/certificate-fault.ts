/**
 * What is wrong with a certificate that is not believed. `incomplete`: what leads from it to an authority is not shown, or that authority is
 * not known; `forged`: it is not signed by the one that it names.
 */
export type CertificateFault = "over" | "early" | "other-names" | "unknown-authority" | "incomplete" | "forged";

/** By Node's codes: https://nodejs.org/api/tls.html#x509-certificate-error-codes. */
const faults: Readonly<Record<string, CertificateFault>> = {
  CERT_HAS_EXPIRED: "over",
  CERT_NOT_YET_VALID: "early",
  ERR_TLS_CERT_ALTNAME_INVALID: "other-names",
  DEPTH_ZERO_SELF_SIGNED_CERT: "unknown-authority",
  SELF_SIGNED_CERT_IN_CHAIN: "unknown-authority",
  UNABLE_TO_GET_ISSUER_CERT: "unknown-authority",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "incomplete",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "incomplete",
  CERT_SIGNATURE_FAILURE: "forged",
};

/** Null: the trouble is another. */
export function certificateFault(code: string): CertificateFault | null {
  return faults[code] ?? null;
}
