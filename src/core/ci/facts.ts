import { type AnyRef, isRefName, parseCommit } from "../triggers/event.ts";

/** What a CI says of the job that runs us. */
export type CiFacts = {
  readonly ci: "github" | "gitlab" | "jenkins" | "woodpecker" | "circleci";
  readonly commit: string;
  readonly branch: string | null;
  readonly tag: string | null;
  /** Its number. */
  readonly pullRequest: string | null;
  /** Who began it; null where the CI does not say. */
  readonly actor: string | null;
  /** Where the job is to be seen. */
  readonly url: string | null;
};

export type Variables = Readonly<Record<string, string | undefined>>;

const names = {
  github: "GitHub",
  gitlab: "GitLab",
  jenkins: "Jenkins",
  woodpecker: "Woodpecker",
  circleci: "CircleCI",
};

/**
 * What the CI's own variables say; null: it is none that we know, or it does not name a commit. `pullHead`: the commit of the pull
 * request, from GitHub's event, whose own commit there is a merge that is nowhere else.
 * Sources: docs.github.com/en/actions/reference/workflows-and-actions/variables, docs.gitlab.com/ci/variables/predefined_variables,
 * jenkins.io/doc/book/pipeline/jenkinsfile, woodpecker-ci.org/docs/usage/environment, circleci.com/docs/variables, 2026-11.
 */
export function readCi(env: Variables, pullHead: string | null = null): CiFacts | null {
  const said = one(env, pullHead);
  if (said === null || said.commit === null) return null;
  const commit = parseCommit(said.commit);
  return commit === null ? null : { ...said, commit };
}

type Said = Omit<CiFacts, "commit"> & { readonly commit: string | null };

function one(env: Variables, pullHead: string | null): Said | null {
  const of = (...keys: string[]): string | null => {
    for (const key of keys) {
      const value = env[key];
      if (value !== undefined && value !== "") return value;
    }
    return null;
  };
  if (env.GITHUB_ACTIONS === "true") {
    const pull = /^refs\/pull\/(\d+)\//.exec(env.GITHUB_REF ?? "")?.[1] ?? null;
    const isTag = env.GITHUB_REF_TYPE === "tag";
    const run = `${env.GITHUB_SERVER_URL ?? "https://github.com"}/${env.GITHUB_REPOSITORY}/actions/runs/${env.GITHUB_RUN_ID}`;
    return {
      ci: "github",
      commit: pull === null ? of("GITHUB_SHA") : (pullHead ?? of("GITHUB_SHA")),
      branch: pull === null ? (isTag ? null : of("GITHUB_REF_NAME")) : of("GITHUB_HEAD_REF"),
      tag: isTag ? of("GITHUB_REF_NAME") : null,
      pullRequest: pull,
      actor: of("GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR"),
      url: env.GITHUB_RUN_ID === undefined ? null : run,
    };
  }
  if (env.GITLAB_CI === "true")
    return {
      ci: "gitlab",
      commit: of("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "CI_COMMIT_SHA"),
      branch: of("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_BRANCH"),
      tag: of("CI_COMMIT_TAG"),
      pullRequest: of("CI_MERGE_REQUEST_IID"),
      actor: of("GITLAB_USER_LOGIN"),
      url: of("CI_JOB_URL", "CI_PIPELINE_URL"),
    };
  if (env.CI === "woodpecker" || env.CI_SYSTEM_NAME === "woodpecker")
    return {
      ci: "woodpecker",
      commit: of("CI_COMMIT_SHA"),
      branch: of("CI_COMMIT_SOURCE_BRANCH", "CI_COMMIT_BRANCH"),
      tag: of("CI_COMMIT_TAG"),
      pullRequest: of("CI_COMMIT_PULL_REQUEST"),
      actor: of("CI_PIPELINE_AUTHOR", "CI_COMMIT_AUTHOR"),
      url: of("CI_STEP_URL", "CI_PIPELINE_URL"),
    };
  if (env.CIRCLECI === "true")
    return {
      ci: "circleci",
      commit: of("CIRCLE_SHA1"),
      branch: of("CIRCLE_BRANCH"),
      tag: of("CIRCLE_TAG"),
      pullRequest: of("CIRCLE_PR_NUMBER") ?? /\/(\d+)$/.exec(env.CIRCLE_PULL_REQUEST ?? "")?.[1] ?? null,
      actor: of("CIRCLE_USERNAME"),
      url: of("CIRCLE_BUILD_URL"),
    };
  if (of("JENKINS_URL") !== null)
    return {
      ci: "jenkins",
      commit: of("GIT_COMMIT"),
      branch: of("CHANGE_BRANCH") ?? of("BRANCH_NAME", "GIT_BRANCH")?.replace(/^origin\//, "") ?? null,
      tag: of("TAG_NAME"),
      pullRequest: of("CHANGE_ID"),
      actor: of("BUILD_USER_ID", "CHANGE_AUTHOR"),
      url: of("BUILD_URL"),
    };
  return null;
}

/** What the commit is fetched by. A pull request's own ref where there is one, since its branch may be in a fork; null: nothing says. */
export function refOf({ ci, branch, tag, pullRequest }: CiFacts): AnyRef | null {
  if (pullRequest !== null && /^\d{1,9}$/.test(pullRequest) && (ci === "github" || ci === "gitlab")) {
    const head = `refs/${ci === "gitlab" ? "merge-requests" : "pull"}/${pullRequest}/head`;
    return { kind: "pull-request", name: pullRequest, head };
  }
  if (tag !== null && isRefName(tag)) return { kind: "tag", name: tag };
  return branch !== null && isRefName(branch) ? { kind: "branch", name: branch } : null;
}

/** One sentence for the history. */
export function ciText({ ci, url }: CiFacts): string {
  return url === null ? `by ${names[ci]}` : `by ${names[ci]}: ${url}`;
}

/** For the history: everything that it said. */
export function ciEvidence(facts: CiFacts): readonly (readonly [string, string])[] {
  const { ci, commit, branch, tag, pullRequest, actor, url } = facts;
  const rows = { ci: names[ci], commit, branch, tag, "pull request": pullRequest, actor, job: url };
  return Object.entries(rows).flatMap(([label, text]) => (text === null ? [] : [[label, text.slice(0, 500)] as const]));
}
