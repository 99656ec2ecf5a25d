/** As much of BSON (bsonspec.org) as a ping needs: what is written are numbers and texts, what is read is the outermost level. */
export type BsonValue = number | string | boolean | null;

export function encodeBson(document: Readonly<Record<string, number | string>>): Buffer {
  const parts = Object.entries(document).map(([name, value]) =>
    typeof value === "number"
      ? Buffer.concat([Buffer.from([0x10]), Buffer.from(`${name}\0`), int32(value)])
      : Buffer.concat([
          Buffer.from([0x02]),
          Buffer.from(`${name}\0`),
          int32(Buffer.byteLength(value) + 1),
          Buffer.from(`${value}\0`),
        ]),
  );
  const body = Buffer.concat([...parts, Buffer.from([0])]);
  return Buffer.concat([int32(body.length + 4), body]);
}

/** Values that are no number, text or truth are left out. Throws when it is no BSON. */
export function decodeBson(bytes: Buffer): Readonly<Record<string, BsonValue>> {
  const end = bytes.readInt32LE(0);
  if (end < 5 || end > bytes.length) throw new Error("it does not speak as a MongoDB");
  const found: Record<string, BsonValue> = {};
  let at = 4;
  while (at < end - 1) {
    const type = bytes[at] ?? 0;
    const nameEnd = bytes.indexOf(0, at + 1);
    if (nameEnd < 0) throw new Error("it does not speak as a MongoDB");
    const name = bytes.subarray(at + 1, nameEnd).toString("utf8");
    at = nameEnd + 1;
    const { value, length } = valueAt(bytes, at, type);
    if (value !== undefined) found[name] = value;
    at += length;
  }
  return found;
}

function valueAt(bytes: Buffer, at: number, type: number): { value?: BsonValue; length: number } {
  switch (type) {
    case 0x01:
      return { value: bytes.readDoubleLE(at), length: 8 };
    case 0x02: {
      const length = bytes.readInt32LE(at);
      return { value: bytes.subarray(at + 4, at + 3 + length).toString("utf8"), length: sound(length, 1) + 4 };
    }
    case 0x03:
    case 0x04:
      return { length: sound(bytes.readInt32LE(at), 5) };
    case 0x05:
      return { length: sound(bytes.readInt32LE(at), 0) + 5 };
    case 0x07:
      return { length: 12 };
    case 0x08:
      return { value: bytes[at] === 1, length: 1 };
    case 0x0a:
      return { value: null, length: 0 };
    case 0x10:
      return { value: bytes.readInt32LE(at), length: 4 };
    case 0x09:
    case 0x11:
    case 0x12:
      return { value: Number(bytes.readBigInt64LE(at)), length: 8 };
    default:
      throw new Error("it does not speak as a MongoDB");
  }
}

function sound(length: number, least: number): number {
  if (length < least) throw new Error("it does not speak as a MongoDB");
  return length;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}
