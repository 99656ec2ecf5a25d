import { generateKeyPairSync } from "node:crypto";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Issuer } from "../../testing/issuer.ts";
import { IdTokens } from "./id-tokens.ts";

let issuer: Issuer;
let tokens: IdTokens;
let nowMs: number;

beforeEach(async () => {
  issuer = await Issuer.start();
  nowMs = Date.now();
  tokens = new IdTokens(() => nowMs);
});
afterEach(() => issuer.close());

const verify = (token: string) =>
  tokens.verify(token, [
    { issuer: issuer.url, audience: "slipway" },
    { issuer: "https://gitlab.com", audience: "other" },
  ]);

const refusal = async (token: string): Promise<string> =>
  verify(token).then(
    () => "believed",
    (error: unknown) => {
      expect(error).toMatchObject({ name: "TokenRefused" });
      return (error as Error).message;
    },
  );

it("a token that its issuer has signed for us is believed, and the issuer is asked for its keys once", async () => {
  const claims = { repository: "acme/shop" };
  expect(await verify(issuer.token({ claims }))).toMatchObject({ repository: "acme/shop", iss: issuer.url });
  for (let more = 0; more < 5; more += 1) await verify(issuer.token({ claims }));
  expect(issuer.asked).toEqual(["/.well-known/openid-configuration", "/jwks"]);
  expect(await verify(issuer.token({ claims: { aud: ["x", "slipway"] } }))).toMatchObject({ aud: ["x", "slipway"] });
});

it("what is not right is refused with words: audience, time, issuer, signature, key", async () => {
  const s = (ms: number): number => Math.floor((nowMs + ms) / 1_000);
  const said = async (claims: object) => refusal(issuer.token({ claims }));
  expect(await said({ aud: "somebody else" })).toContain("its aud is not right");
  // That of another issuer that is allowed is not that of this one.
  expect(await said({ aud: "other" })).toContain("its aud is not right");
  expect(await said({ exp: s(-61_000) })).toBe("it has expired");
  expect(await said({ exp: s(-50_000) })).toBe("believed");
  expect(await said({ nbf: s(120_000) })).toContain("its nbf is not right");
  expect(await said({ exp: undefined })).toContain("exp");
  expect(await said({ sub: undefined })).toContain("sub");
  const other = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  expect(await refusal(issuer.token({}, other))).toBe("its signature is not the issuer's");
  expect(await refusal(issuer.token({ header: { kid: "unknown" } }))).toBe(
    "it is signed with a key that the issuer does not have",
  );
  const [head, , proof] = issuer.token().split(".");
  const [, body] = issuer.token({ claims: { repository: "acme/other" } }).split(".");
  expect(await refusal(`${head}.${body}.${proof}`)).toBe("its signature is not the issuer's");
  expect(await refusal("not a token")).toBe("it is no token");
});

it("an algorithm that proves nothing is refused before anybody is asked: none, and HMAC with the public key", async () => {
  expect(await refusal(issuer.unsigned())).toBe("it is signed by none, which proves nothing");
  expect(await refusal(issuer.confused())).toBe("it is signed by HS256, which proves nothing");
  expect(issuer.asked).toEqual([]);
});

it("an issuer that is not allowed is never asked, however it is called", async () => {
  const stranger = await Issuer.start();
  try {
    expect(await refusal(stranger.token())).toBe(`its issuer ${stranger.url} is not among those that are allowed`);
    expect(stranger.asked).toEqual([]);
  } finally {
    await stranger.close();
  }
});

it("a huge token is not looked at, a huge set of keys is not read, and an issuer with another name is not believed", async () => {
  expect(await refusal("a".repeat(20_000))).toBe("it has more than 16384 bytes");
  issuer.more.push({ kty: "RSA", n: "x".repeat(300_000), e: "AQAB", kid: "big" });
  expect(await refusal(issuer.token())).toContain("the issuer's keys could not be had");
  tokens = new IdTokens(() => nowMs);
  issuer.more.length = 0;
  issuer.named = "https://somebody.example";
  expect(await refusal(issuer.token())).toBe(`what answers at ${issuer.url} calls itself https://somebody.example`);
});

it("keys that are not known are not asked for again and again", async () => {
  await verify(issuer.token());
  for (let count = 0; count < 20; count += 1) await refusal(issuer.token({ header: { kid: `k${count}` } }));
  expect(issuer.asked.filter((url) => url === "/jwks").length).toBeLessThanOrEqual(2);
});

it("an issuer that is away may be back: that is said apart", async () => {
  const { url } = issuer;
  const token = issuer.token();
  await issuer.close();
  await expect(tokens.verify(token, [{ issuer: url, audience: "slipway" }])).rejects.toMatchObject({ mayHelp: true });
  issuer = await Issuer.start();
});
