const encoder = new TextEncoder();

/**
 * MurmurHash3 (x86, 32 bit) of a text's UTF-8: the same everywhere, evenly spread, and no secret. Source: Austin Appleby's public
 * domain https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp.
 */
export function murmur32(text: string, seed = 0): number {
  const bytes = encoder.encode(text);
  const blocks = bytes.length & ~3;
  let hash = seed >>> 0;
  for (let at = 0; at < blocks; at += 4) {
    const block =
      byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16) | (byte(bytes, at + 3) << 24);
    hash = rotated(hash ^ mixed(block), 13);
    hash = (Math.imul(hash, 5) + 0xe6546b64) >>> 0;
  }
  let tail = 0;
  for (let at = bytes.length - 1; at >= blocks; at--) tail = (tail << 8) | byte(bytes, at);
  if (blocks < bytes.length) hash ^= mixed(tail);
  hash ^= bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** 16 hexadecimal digits: enough to tell thousands of texts apart, and no protection from somebody who wants two alike. */
export function shortDigest(text: string): string {
  return [0, 0x9747b28c].map((seed) => murmur32(text, seed).toString(16).padStart(8, "0")).join("");
}

function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}

function mixed(block: number): number {
  return Math.imul(rotated(Math.imul(block, 0xcc9e2d51), 15), 0x1b873593);
}

function rotated(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}
