import { expect, it } from "vitest";
import { signedHeaders } from "./sigv4.ts";

/** From AWS's test suite of Signature Version 4 (`aws-sig-v4-test-suite`). */
const credentials = {
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
  sessionToken: null,
};
const request = {
  headers: {},
  body: "",
  region: "us-east-1",
  service: "service",
  at: new Date("2015-08-30T12:36:00Z"),
};

it("signs as AWS's own vectors say", () => {
  const vanilla = signedHeaders(
    { ...request, method: "GET", url: new URL("https://example.amazonaws.com/") },
    credentials,
  );
  expect(vanilla.authorization).toBe(
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
  );
  const post = signedHeaders(
    { ...request, method: "POST", url: new URL("https://example.amazonaws.com/") },
    credentials,
  );
  expect(post.authorization).toContain("Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
  const query = new URL("https://example.amazonaws.com/?Param2=value2&Param1=value1");
  const ordered = signedHeaders({ ...request, method: "GET", url: query }, credentials);
  expect(ordered.authorization).toContain("Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
});
