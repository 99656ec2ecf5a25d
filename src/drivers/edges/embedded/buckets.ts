/** Weights are hundredths of a percent, so a service has so many buckets, and one bucket is one weight. */
export const buckets = 10_000;

/**
 * Coprime with `buckets` and near its golden section: any 10,000 consecutive values hit each bucket once, and any shorter
 * run is spread evenly, so a share is exact from the first hundreds of requests on. Random choice was off by 0.4 points.
 */
const step = 6181;

/** Bucket after bucket, for requests that nothing keeps on one revision. */
export function nextBucket(before: number): number {
  return (before + step) % buckets;
}

/** The bucket of a client, always the same: 32-bit FNV-1a with the final mix of MurmurHash3, for near-equal keys. */
export function bucketOf(key: string): number {
  let hash = 0x811c9dc5;
  const length = Math.min(key.length, maxKeyChars);
  for (let index = 0; index < length; index += 1) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % buckets;
}

/** Long enough for any token; a client pays for no more. */
const maxKeyChars = 256;
