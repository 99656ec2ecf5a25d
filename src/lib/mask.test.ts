import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Masker, masked } from "./mask.ts";

const secret = 'p@ss "wörd"/+x\\9';
const encoded: readonly (readonly [string, (text: string) => string])[] = [
  ["as it is", (text) => text],
  ["in base64", (text) => Buffer.from(text).toString("base64")],
  ["in base64 after one byte", (text) => Buffer.from(`u${text}`).toString("base64")],
  ["in base64 after two bytes and before others", (text) => Buffer.from(`u:${text}\n`).toString("base64")],
  ["in base64url", (text) => Buffer.from(text).toString("base64url")],
  ["percent-encoded", encodeURIComponent],
  ["as a form", (text) => new URLSearchParams({ a: text }).toString().slice(2)],
  ["in JSON", (text) => JSON.stringify({ a: text })],
  ["in hex", (text) => Buffer.from(text).toString("hex")],
  ["in capital hex", (text) => Buffer.from(text).toString("hex").toUpperCase()],
];

/** As many of the characters of the encoded value as would give it away. */
function tellsOf(encode: (text: string) => string): string[] {
  const text = encode(secret);
  return text.length < 12 ? [text] : [text.slice(4, 12), text.slice(-12, -4)];
}

function inChunks(text: string, secrets: readonly string[], sizes: readonly number[]): string {
  const masker = new Masker(secrets);
  const bytes = Buffer.from(text);
  const out: Buffer[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1;
    out.push(masker.push(bytes.subarray(at, at + size)));
    at += size;
  }
  return Buffer.concat([...out, masker.flush()]).toString("utf8");
}

/** What of an encoded text is the secret's: every character that has a bit of it. */
it("in base64 at any offset leaves nothing of its first and last group, padded or not, and what is beside it stays, however the stream is cut", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 });
  const value = fc.string({ unit: fc.constantFrom("k", "Z", "7", "~", "?", "é"), minLength: 5, maxLength: 20 });
  const beside = fc.uint8Array({ maxLength: 7 });
  const kind = fc.constantFrom<BufferEncoding>("base64", "base64url");
  fc.assert(
    fc.property(value, beside, beside, kind, sizes, (one, before, after, encoding, cuts) => {
      const bytes = Buffer.from(one);
      const text = Buffer.concat([before, bytes, after]).toString(encoding);
      const from = Math.floor((before.length * 8) / 6);
      const to = Math.ceil(((before.length + bytes.length) * 8) / 6);
      const rest = after.length === 0 ? "" : text.slice(to);
      expect(inChunks(`a: ${text}; b`, [one], cuts)).toBe(`a: ${text.slice(0, from)}***${rest}; b`);
    }),
  );
});

describe("a secret", () => {
  it.each(encoded)("is taken out %s, however the stream is cut", (_, encode) => {
    for (const size of [1, 2, 3, 5, 7, 1_000]) {
      const out = inChunks(`before ${encode(secret)} after`, [secret], [size]);
      for (const tell of tellsOf(encode)) expect(out).not.toContain(tell);
      expect(out).toContain("***");
      expect(out).toMatch(/^before .* after$/);
    }
  });

  it("of several lines is taken out line by line too", () => {
    const key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nab\n-----END KEY-----";
    expect(masked(key.replaceAll("\n", "\r\n"), [key])).toBe("***\r\n***\r\nab\r\n***");
  });

  it("that overlaps another leaves nothing of either", () => {
    expect(masked("x abcdefghi y", ["abcdef", "defghi"])).toBe("x *** y");
  });

  it("that is too short for a mask is left: it would be in every text", () => {
    expect(masked("a cat", ["cat"])).toBe("a cat");
  });
});

it("what comes out does not depend on the chunks, and without the secret in it a text passes unchanged", () => {
  const letters = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 60 });
  const secrets = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 4, maxLength: 6 }), {
    minLength: 1,
    maxLength: 3,
  });
  fc.assert(
    fc.property(letters, secrets, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (text, all, sizes) => {
      const whole = masked(text, all);
      expect(inChunks(text, all, sizes)).toBe(whole);
      for (const one of all) expect(whole).not.toContain(one);
      if (!all.some((one) => text.includes(one))) expect(whole).toBe(text);
    }),
  );
});
