/**
 * As much of Protocol Buffers as the engine's build session speaks: varints and length-delimited fields. Messages are written by
 * hand here because there are six of them; a code generator would be the larger part.
 */
const wireVarint = 0;
const wireFixed64 = 1;
const wireBytes = 2;
const wireFixed32 = 5;

/** One field as it came: a number for varints, the bytes for everything with a length. Unknown fixed-width ones are skipped. */
export type Field = { readonly number: number; readonly varint: bigint; readonly bytes: Buffer };

const nothing = Buffer.alloc(0);

/** The fields of a message in the order in which they came. Throws a RangeError when it is cut off or no message at all. */
export function* fieldsOf(message: Buffer): Generator<Field> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = message[at++];
      if (byte === undefined) break;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError("a protobuf number does not end");
  };
  while (at < message.length) {
    const tag = Number(varint());
    const number = tag >>> 3;
    switch (tag & 7) {
      case wireVarint:
        yield { number, varint: varint(), bytes: nothing };
        break;
      case wireBytes: {
        const length = Number(varint());
        if (length > message.length - at) throw new RangeError("a protobuf field is cut off");
        yield { number, varint: 0n, bytes: message.subarray(at, at + length) };
        at += length;
        break;
      }
      case wireFixed64:
        at += 8;
        break;
      case wireFixed32:
        at += 4;
        break;
      default:
        throw new RangeError(`protobuf wire type ${tag & 7} is not known`);
    }
  }
}

/** Writes a message field by field. What is zero or empty is left out, as proto3 has it. */
export class MessageWriter {
  readonly #parts: Buffer[] = [];

  number(field: number, value: number | bigint): this {
    if (BigInt(value) === 0n) return this;
    this.#parts.push(encodeVarint(BigInt((field << 3) | wireVarint)), encodeVarint(BigInt.asUintN(64, BigInt(value))));
    return this;
  }

  text(field: number, value: string): this {
    return value === "" ? this : this.bytes(field, Buffer.from(value, "utf8"));
  }

  /** Also when it is empty: an empty message is not an absent one. */
  bytes(field: number, value: Buffer): this {
    this.#parts.push(encodeVarint(BigInt((field << 3) | wireBytes)), encodeVarint(BigInt(value.length)), value);
    return this;
  }

  done(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

function encodeVarint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}
