import type { EpochMs } from "../ids.ts";

export type LabelFacts = {
  readonly title: string;
  readonly revision: string;
  readonly version: string | null;
  /** The commit's time, not that of the build: the same commit gives the same labels. */
  readonly committedAt: EpochMs;
  /** As git knows the remote; null when there is none. */
  readonly remote: string | null;
};

export const createdLabel = "org.opencontainers.image.created";
export const revisionLabel = "org.opencontainers.image.revision";
export const sourceLabel = "org.opencontainers.image.source";
export const titleLabel = "org.opencontainers.image.title";
export const versionLabel = "org.opencontainers.image.version";

/** Labels of the OCI image specification (annotations.md, v1.1). A remote's user and password are never in them. */
export function imageLabels(facts: LabelFacts): Readonly<Record<string, string>> {
  const source = facts.remote === null ? null : sourceUrl(facts.remote);
  return {
    [createdLabel]: new Date(facts.committedAt).toISOString().replace(/\.\d{3}Z$/, "Z"),
    [revisionLabel]: facts.revision,
    [titleLabel]: facts.title,
    ...(facts.version !== null && { [versionLabel]: facts.version }),
    ...(source !== null && { [sourceLabel]: source }),
  };
}

/**
 * A git remote as the address a browser opens: `git@github.com:acme/web.git` and `ssh://git@github.com/acme/web.git` become
 * `https://github.com/acme/web`. Null for a path of this machine, which says nothing elsewhere.
 */
export function sourceUrl(remote: string): string | null {
  const short = /^(?:[^@/\s]+@)?([A-Za-z0-9.-]+):(?!\/)([^\s]+)$/.exec(remote);
  const address = /^[a-z+]+:\/\//.test(remote) ? remote : short === null ? null : `ssh://${short[1]}/${short[2]}`;
  if (address === null || !/^(?:https?|ssh|git\+ssh|git):/.test(address) || !URL.canParse(address)) return null;
  const { protocol, host, hostname, pathname } = new URL(address);
  const path = pathname.replace(/\/+$/, "").replace(/\.git$/, "");
  return protocol === "http:" || protocol === "https:" ? `${protocol}//${host}${path}` : `https://${hostname}${path}`;
}
