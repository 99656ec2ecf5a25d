import { z } from "zod";
import type { ForgeKind } from "../product/forges.ts";
import { type PushEvent, parseCommit, parseRef } from "./event.ts";

/** What a delivery says: pushes, that the webhook works, or something that is not for us. */
export type Said =
  | { readonly is: "pushes"; readonly pushes: readonly PushEvent[] }
  | { readonly is: "ping" }
  | { readonly is: "other"; readonly what: string };

/** How a forge speaks. Header names in small letters; of several the first that is there. */
export type ForgeWords = {
  readonly eventHeaders: readonly string[];
  /** What is the same when a delivery is sent again. */
  readonly deliveryHeaders: readonly string[];
  readonly proof: {
    /** `hmac`: HMAC-SHA256 of the raw body in hex. `token`: the secret itself. */
    readonly by: "hmac" | "token";
    readonly headers: readonly string[];
  };
  /** What the body says under that event's name. Null: it is not what this forge sends under that name. */
  readonly read: (event: string, body: unknown) => Said | null;
};

/**
 * Sources: docs.github.com/en/webhooks/webhook-events-and-payloads, docs.gitlab.com/user/project/integrations/webhook_events,
 * docs.gitea.com/usage/webhooks, support.atlassian.com/bitbucket-cloud/docs/event-payloads, 2026-11.
 */
export const forgeWords: Readonly<Record<ForgeKind, ForgeWords>> = {
  github: {
    eventHeaders: ["x-github-event"],
    deliveryHeaders: ["x-github-delivery"],
    proof: { by: "hmac", headers: ["x-hub-signature-256"] },
    read: (event, body) => {
      if (event === "ping") return { is: "ping" };
      return event === "push" ? oneOf(likeGithub, body) : other(event);
    },
  },
  gitea: {
    eventHeaders: ["x-gitea-event", "x-forgejo-event", "x-gogs-event"],
    deliveryHeaders: ["x-gitea-delivery", "x-forgejo-delivery", "x-gogs-delivery"],
    proof: { by: "hmac", headers: ["x-hub-signature-256", "x-gitea-signature", "x-forgejo-signature"] },
    read: (event, body) => {
      if (event === "delete") return oneOf(giteaDelete, body);
      return event === "push" ? oneOf(likeGithub, body) : other(event);
    },
  },
  gitlab: {
    eventHeaders: ["x-gitlab-event"],
    deliveryHeaders: ["idempotency-key", "x-gitlab-event-uuid"],
    proof: { by: "token", headers: ["x-gitlab-token"] },
    read: (event, body) => (/^(?:tag )?push hook$/i.test(event) ? oneOf(gitlabPush, body) : other(event)),
  },
  bitbucket: {
    eventHeaders: ["x-event-key"],
    deliveryHeaders: ["x-request-uuid", "x-request-id"],
    proof: { by: "hmac", headers: ["x-hub-signature"] },
    read: (event, body) => {
      if (event === "diagnostics:ping") return { is: "ping" };
      return event === "repo:push" ? oneOf(bitbucketPush, body) : other(event);
    },
  },
};

/** A name of a person, bounded: it becomes the actor of what is begun. */
const person = z
  .string()
  .min(1)
  .transform((text) => text.slice(0, 100));
const commit = z.string().transform(parseCommit);
const message = z.string();

/** GitHub's, and Gitea's, which are made after them. */
const likeGithub = z
  .object({
    ref: z.string(),
    before: commit,
    after: commit,
    repository: z.object({ full_name: z.string() }),
    pusher: z.object({ name: person.nullish(), login: person.nullish(), username: person.nullish() }).nullish(),
    sender: z.object({ login: person.nullish() }).nullish(),
    head_commit: z.object({ message }).nullish(),
  })
  .transform(({ ref, before, after, repository, pusher, sender, head_commit }) =>
    pushes([
      {
        ref,
        before,
        after,
        repository: repository.full_name,
        message: head_commit?.message ?? null,
        actor: sender?.login ?? pusher?.login ?? pusher?.username ?? pusher?.name,
      },
    ]),
  );

/** Gitea tells of a deleted branch or tag by an event of its own. */
const giteaDelete = z
  .object({
    ref: z.string(),
    ref_type: z.enum(["branch", "tag"]),
    repository: z.object({ full_name: z.string() }),
    sender: z.object({ login: person.nullish() }).nullish(),
  })
  .transform(({ ref, ref_type, repository, sender }) =>
    pushes([
      {
        ref: `refs/${ref_type === "branch" ? "heads" : "tags"}/${ref}`,
        before: null,
        after: null,
        repository: repository.full_name,
        message: null,
        actor: sender?.login,
      },
    ]),
  );

const gitlabPush = z
  .object({
    ref: z.string(),
    before: commit,
    after: commit,
    user_username: person.nullish(),
    user_name: person.nullish(),
    project: z.object({ path_with_namespace: z.string() }),
    commits: z.array(z.object({ id: z.string(), message })).nullish(),
  })
  .transform(({ ref, before, after, project, commits, ...by }) =>
    pushes([
      {
        ref,
        before,
        after,
        repository: project.path_with_namespace,
        message: commits?.find(({ id }) => id === after)?.message ?? null,
        actor: by.user_username ?? by.user_name,
      },
    ]),
  );

const bitbucketRef = z
  .object({
    type: z.string(),
    name: z.string(),
    target: z.object({ hash: commit, message: message.nullish() }),
  })
  .nullish();

/** One delivery tells of every ref that a push has moved. */
const bitbucketPush = z
  .object({
    actor: z.object({ nickname: person.nullish(), display_name: person.nullish() }).nullish(),
    repository: z.object({ full_name: z.string() }),
    push: z.object({ changes: z.array(z.object({ old: bitbucketRef, new: bitbucketRef })).max(1_000) }),
  })
  .transform(({ actor, repository, push }) =>
    pushes(
      push.changes.flatMap(({ old, new: now }) => {
        const one = now ?? old;
        if (one == null) return [];
        return {
          ref: `refs/${one.type === "tag" ? "tags" : "heads"}/${one.name}`,
          before: old?.target.hash ?? null,
          after: now?.target.hash ?? null,
          repository: repository.full_name,
          message: now?.target.message ?? null,
          actor: actor?.nickname ?? actor?.display_name,
        };
      }),
    ),
  );

type Told = Omit<PushEvent, "is" | "ref" | "actor"> & {
  readonly ref: string;
  readonly actor: string | null | undefined;
};

/** Refs that are neither a branch nor a tag, such as those of pull requests, are left out. */
function pushes(told: readonly Told[]): Said {
  return {
    is: "pushes",
    pushes: told.flatMap(({ ref: text, actor, ...rest }) => {
      const ref = parseRef(text);
      return ref === null ? [] : [{ is: "push" as const, ...rest, ref, actor: actor ?? "somebody" }];
    }),
  };
}

const other = (what: string): Said => ({ is: "other", what });

function oneOf(schema: z.ZodType<Said>, body: unknown): Said | null {
  const parsed = schema.safeParse(body);
  return parsed.success ? parsed.data : null;
}
