import { z } from "zod";
import type { ForgeKind } from "../product/forges.ts";
import { isRefName, type PullEvent, type PushEvent, parseCommit, parseRef } from "./event.ts";

/** What a delivery says: pushes, that the webhook works, or something that is not for us. */
export type Said =
  | { readonly is: "events"; readonly events: readonly (PushEvent | PullEvent)[] }
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
      if (event === "pull_request") return oneOf(pullLikeGithub, body);
      return event === "push" ? oneOf(likeGithub, body) : other(event);
    },
  },
  gitea: {
    eventHeaders: ["x-gitea-event", "x-forgejo-event", "x-gogs-event"],
    deliveryHeaders: ["x-gitea-delivery", "x-forgejo-delivery", "x-gogs-delivery"],
    proof: { by: "hmac", headers: ["x-hub-signature-256", "x-gitea-signature", "x-forgejo-signature"] },
    read: (event, body) => {
      if (event === "delete") return oneOf(giteaDelete, body);
      if (event === "pull_request" || event === "pull_request_sync") return oneOf(pullLikeGithub, body);
      return event === "push" ? oneOf(likeGithub, body) : other(event);
    },
  },
  gitlab: {
    eventHeaders: ["x-gitlab-event"],
    deliveryHeaders: ["idempotency-key", "x-gitlab-event-uuid"],
    proof: { by: "token", headers: ["x-gitlab-token"] },
    read: (event, body) => {
      if (/^merge request hook$/i.test(event)) return oneOf(gitlabMerge, body);
      return /^(?:tag )?push hook$/i.test(event) ? oneOf(gitlabPush, body) : other(event);
    },
  },
  bitbucket: {
    eventHeaders: ["x-event-key"],
    deliveryHeaders: ["x-request-uuid", "x-request-id"],
    proof: { by: "hmac", headers: ["x-hub-signature"] },
    read: (event, body) => {
      if (event === "diagnostics:ping") return { is: "ping" };
      const became = bitbucketPulls[event];
      if (became !== undefined) return oneOf(bitbucketPull(became), body);
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

const repositoryOf = z.object({ full_name: z.string() });
const number = z.int().min(1).transform(String);

/** GitHub's, and Gitea's: what is not about commits or the end of it begins nothing. */
const pullLikeGithub = z
  .object({
    action: z.string(),
    pull_request: z.object({
      number,
      head: z.object({ ref: z.string(), sha: commit, repo: repositoryOf.nullish() }),
    }),
    repository: repositoryOf,
    sender: z.object({ login: person.nullish() }).nullish(),
  })
  .transform(({ action, pull_request: { number, head }, repository, sender }) => {
    const became = likeGithubPulls[action];
    return pull(
      became === undefined
        ? null
        : {
            number,
            became,
            repository: repository.full_name,
            from: head.repo == null ? null : { repository: head.repo.full_name, branch: head.ref },
            commit: head.sha,
            head: `refs/pull/${number}/head`,
            isHere: true,
            actor: sender?.login,
          },
      action,
    );
  });

const likeGithubPulls: Readonly<Record<string, PullEvent["became"] | undefined>> = {
  opened: "opened",
  reopened: "opened",
  synchronize: "moved",
  synchronized: "moved",
  closed: "closed",
};

const gitlabMerge = z
  .object({
    user: z.object({ username: person.nullish(), name: person.nullish() }).nullish(),
    project: z.object({ path_with_namespace: z.string() }),
    object_attributes: z.object({
      iid: number,
      action: z.string().nullish(),
      /** Only of an update that brings commits. */
      oldrev: z.string().nullish(),
      source_branch: z.string(),
      source: z.object({ path_with_namespace: z.string() }).nullish(),
      last_commit: z.object({ id: commit }).nullish(),
    }),
  })
  .transform(({ user, project, object_attributes: { iid, action, oldrev, source, source_branch, last_commit } }) => {
    const became = action == null || (action === "update" && oldrev == null) ? undefined : gitlabMerges[action];
    return pull(
      became === undefined
        ? null
        : {
            number: iid,
            became,
            repository: project.path_with_namespace,
            from: source == null ? null : { repository: source.path_with_namespace, branch: source_branch },
            commit: last_commit?.id ?? null,
            head: `refs/merge-requests/${iid}/head`,
            isHere: true,
            actor: user?.username ?? user?.name,
          },
      `merge request ${action ?? ""}`,
    );
  });

const gitlabMerges: Readonly<Record<string, PullEvent["became"] | undefined>> = {
  open: "opened",
  reopen: "opened",
  update: "moved",
  close: "closed",
  merge: "closed",
};

const bitbucketPulls: Readonly<Record<string, PullEvent["became"] | undefined>> = {
  "pullrequest:created": "opened",
  "pullrequest:updated": "moved",
  "pullrequest:fulfilled": "closed",
  "pullrequest:rejected": "closed",
};

/** Its commits are in the source's repository only, and it says them in short. */
const bitbucketPull = (became: PullEvent["became"]) =>
  z
    .object({
      actor: z.object({ nickname: person.nullish(), display_name: person.nullish() }).nullish(),
      repository: repositoryOf,
      pullrequest: z.object({
        id: number,
        source: z.object({
          branch: z.object({ name: z.string().refine(isRefName) }),
          repository: repositoryOf.nullish(),
        }),
      }),
    })
    .transform(({ actor, repository, pullrequest: { id, source } }) =>
      pull(
        {
          number: id,
          became,
          repository: repository.full_name,
          from:
            source.repository == null ? null : { repository: source.repository.full_name, branch: source.branch.name },
          commit: null,
          head: `refs/heads/${source.branch.name}`,
          isHere: source.repository?.full_name === repository.full_name,
          actor: actor?.nickname ?? actor?.display_name,
        },
        "pullrequest",
      ),
    );

type ToldPull = Omit<PullEvent, "is" | "ref" | "actor"> & {
  readonly number: string;
  readonly head: string;
  readonly actor: string | null | undefined;
};

function pull(told: ToldPull | null, action: string): Said {
  if (told === null) return other(`${action} of a pull request`);
  const { number, head, actor, ...rest } = told;
  const ref = { kind: "pull-request", name: number, head } as const;
  return { is: "events", events: [{ is: "pull-request", ...rest, ref, actor: actor ?? "somebody" }] };
}

type Told = Omit<PushEvent, "is" | "ref" | "actor"> & {
  readonly ref: string;
  readonly actor: string | null | undefined;
};

/** Refs that are neither a branch nor a tag, such as those of pull requests, are left out. */
function pushes(told: readonly Told[]): Said {
  return {
    is: "events",
    events: told.flatMap(({ ref: text, actor, ...rest }) => {
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
