import type { z } from "zod";
import { isImageReference, isRepository, parseHostPort, parseHostUrl, parseVolume } from "./mounts.ts";
import { checkedText, notA } from "./values.ts";

export function volumeText(): z.ZodType<string, string> {
  const allowed = '"name:/path" or "/path/on/the/host:/path", perhaps with :ro at the end';
  return checkedText({ type: "string", allowed }, (seen) =>
    parseVolume(seen) === null ? notA(seen, "volume", allowed) : null,
  );
}

export function hostPortText(): z.ZodType<string, string> {
  const allowed = "\"8125:8125\" (the host's port, then the container's), perhaps with an address before it";
  return checkedText({ type: "string", allowed }, (seen) =>
    parseHostPort(seen) === null ? notA(seen, "pair of ports", allowed) : null,
  );
}

export function hostUrl(): z.ZodType<string, string> {
  const allowed = "unix:///var/run/docker.sock, ssh://user@host, ssh://user@host:port or tcp://host:2376";
  return checkedText({ type: "string", allowed }, (seen) => {
    if (parseHostUrl(seen) !== null) return null;
    const guess = `ssh://${seen}`;
    return notA(seen, "container engine", allowed, parseHostUrl(guess) === null ? undefined : guess);
  });
}

export function imageReference(): z.ZodType<string, string> {
  const allowed = "an image, such as redis:7.4 or ghcr.io/acme/web@sha256:…";
  return checkedText({ type: "string", allowed }, (seen) =>
    isImageReference(seen) ? null : notA(seen, "image", allowed),
  );
}

export function repositoryText(): z.ZodType<string, string> {
  const allowed = "a repository without tag, such as ghcr.io/acme/shop";
  return checkedText({ type: "string", allowed }, (seen) =>
    isRepository(seen)
      ? null
      : notA(seen, "repository", allowed, isImageReference(seen) ? seen.replace(/[:@][^/]*$/, "") : undefined),
  );
}

/** `NET_ADMIN`, as Linux names them (capabilities(7)) without CAP_, or `ALL`. */
export function capability(): z.ZodType<string, string> {
  const allowed = "a capability in capital letters without CAP_, such as NET_BIND_SERVICE, or ALL";
  const pattern = /^(?!CAP_)[A-Z][A-Z_]{1,40}$/;
  return checkedText({ type: "string", allowed, pattern: pattern.source }, (seen) => {
    if (pattern.test(seen)) return null;
    const plain = seen.toUpperCase().replace(/^CAP_/, "");
    return notA(seen, "capability", allowed, pattern.test(plain) ? plain : undefined);
  });
}

/** `1000`, `1000:1000`, `node`, `node:node`. */
export function userText(): z.ZodType<string, string> {
  const allowed = "a user, such as 1000, 1000:1000 or node";
  const pattern = /^(\d{1,10}|[a-z_][a-z0-9_-]{0,31})(:(\d{1,10}|[a-z_][a-z0-9_-]{0,31}))?$/;
  return checkedText({ type: "string", allowed, pattern: pattern.source }, (seen) =>
    pattern.test(seen) ? null : notA(seen, "user", allowed),
  );
}

/** `linux/amd64`. */
export function platformText(): z.ZodType<string, string> {
  const allowed = "a platform, such as linux/amd64 or linux/arm64";
  const pattern = /^[a-z0-9]{1,20}\/[a-z0-9_]{1,20}(\/v[0-9]{1,2})?$/;
  return checkedText({ type: "string", allowed, pattern: pattern.source }, (seen) =>
    pattern.test(seen) ? null : notA(seen, "platform", allowed),
  );
}
