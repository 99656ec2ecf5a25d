import { createPublicKey, type KeyObject, sign } from "node:crypto";

/**
 * A certificate signing request (RFC 2986) for one host, as RFC 8555 §7.4 wants it: DER, the name as a subjectAltName and
 * nowhere else. `key` is an EC key on P-256.
 */
export function signingRequest(host: string, key: KeyObject): Buffer {
  const name = der(tag.dnsName, Buffer.from(host, "ascii"));
  const extension = sequence(oid.subjectAltName, der(tag.octets, sequence(name)));
  const attribute = sequence(oid.extensionRequest, der(tag.set, sequence(extension)));
  const info = sequence(
    der(tag.integer, Buffer.from([0])),
    sequence(),
    createPublicKey(key).export({ type: "spki", format: "der" }),
    der(tag.attributes, attribute),
  );
  const signature = Buffer.concat([Buffer.from([0]), sign("sha256", info, key)]);
  return sequence(info, sequence(oid.ecdsaWithSha256), der(tag.bits, signature));
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(tag.sequence, Buffer.concat(parts));
}

/** Tag, length, value (X.690 §8.1). */
function der(type: number, value: Buffer): Buffer {
  if (value.length < 0x80) return Buffer.concat([Buffer.from([type, value.length]), value]);
  const hex = value.length.toString(16);
  const length = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
  return Buffer.concat([Buffer.from([type, 0x80 | length.length]), length, value]);
}

const tag = {
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  sequence: 0x30,
  set: 0x31,
  /** [0] of CertificationRequestInfo, and [2] of GeneralName (RFC 5280 §4.2.1.6). */
  attributes: 0xa0,
  dnsName: 0x82,
} as const;

const oid = {
  /** 2.5.29.17 */
  subjectAltName: Buffer.from("0603551d11", "hex"),
  /** 1.2.840.113549.1.9.14 */
  extensionRequest: Buffer.from("06092a864886f70d01090e", "hex"),
  /** 1.2.840.10045.4.3.2 */
  ecdsaWithSha256: Buffer.from("06082a8648ce3d040302", "hex"),
} as const;
