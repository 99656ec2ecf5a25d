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

/** From "Authenticating Requests: Using the Authorization Header" of the S3 API reference. */
it("signs requests of S3 as its reference says, with the digest of what is sent", () => {
  const ofS3 = { accessKeyId: "AKIAIOSFODNN7EXAMPLE", sessionToken: null };
  const keys = { ...ofS3, secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" };
  const shared = { region: "us-east-1", service: "s3", at: new Date("2013-05-24T00:00:00Z") };
  const nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  const get = signedHeaders(
    {
      ...shared,
      method: "GET",
      url: new URL("https://examplebucket.s3.amazonaws.com/test.txt"),
      headers: { range: "bytes=0-9", "x-amz-content-sha256": nothing },
      body: { sha256: nothing },
    },
    keys,
  );
  expect(get.authorization).toContain("Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  const sha256 = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
  const headers = {
    date: "Fri, 24 May 2013 00:00:00 GMT",
    "x-amz-content-sha256": sha256,
    "x-amz-storage-class": "REDUCED_REDUNDANCY",
  };
  const url = new URL("https://examplebucket.s3.amazonaws.com/test%24file.text");
  const put = signedHeaders({ ...shared, method: "PUT", url, headers, body: { sha256 } }, keys);
  expect(put.authorization).toContain("Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
});
