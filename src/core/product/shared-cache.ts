import { z } from "zod";
import { named, optional, required } from "./key.ts";
import { checkedText, environmentVariable, insidePath, text } from "./values.ts";
import { show } from "./wording.ts";

export const sharedCacheDefaults = {
  region: "us-east-1",
  prefix: "slipway",
  accessKeyId: "AWS_ACCESS_KEY_ID",
  secretAccessKey: "AWS_SECRET_ACCESS_KEY",
} as const;

/** Of the product's pipeline: where results of steps are shared. */
export const sharedCacheSchema = named(
  "PipelineCacheInput",
  "A bucket in a store that speaks S3, by which control planes share the results of unchanged steps. This machine's own come first.",
  z.strictObject({
    endpoint: required(storeUrl(), {
      meaning: "Where the store is; the bucket is asked for as a part of the path.",
      example: "https://s3.eu-central-1.amazonaws.com",
    }),
    bucket: required(bucketName(), { meaning: "The bucket; it must be there.", example: "acme-steps" }),
    region: optional(text(), {
      meaning: "What requests are signed for; stores that are not Amazon's mostly take any.",
      default: sharedCacheDefaults.region,
      example: "eu-central-1",
    }),
    prefix: optional(insidePath(), {
      meaning: "What the names of its objects begin with.",
      default: sharedCacheDefaults.prefix,
      example: "ci/shop",
    }),
    accessKeyId: optional(environmentVariable(), {
      meaning: "Name of the pipeline's secret that is the id of the access key: slipway secret set <name> -e pipeline.",
      default: sharedCacheDefaults.accessKeyId,
      example: "CACHE_KEY_ID",
    }),
    secretAccessKey: optional(environmentVariable(), {
      meaning:
        "Name of the secret that is the access key itself. It vouches for every result too: only control planes with the same one take what another has put there.",
      default: sharedCacheDefaults.secretAccessKey,
      example: "CACHE_KEY",
    }),
  }),
);

function storeUrl(): z.ZodType<string, string> {
  const allowed = "the address of a store, such as https://s3.eu-central-1.amazonaws.com";
  return checkedText({ type: "string", allowed, pattern: "^https?://" }, (seen) =>
    /^https?:\/\/[^\s/?#@]+(?:\/[\w./-]*)?$/.test(seen) && URL.canParse(seen)
      ? null
      : `${show(seen)} is no ${allowed.slice(4)}`,
  );
}

function bucketName(): z.ZodType<string, string> {
  const allowed = "3 to 63 small letters, digits, dots and dashes";
  return checkedText({ type: "string", allowed }, (seen) =>
    /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(seen) ? null : `${show(seen)} is no name of a bucket; use ${allowed}`,
  );
}
