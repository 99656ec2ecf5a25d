/** Whose webhooks and APIs are understood. Forgejo's are Gitea's. */
export const forges = ["github", "gitlab", "gitea", "bitbucket"] as const;
export type ForgeKind = (typeof forges)[number];
