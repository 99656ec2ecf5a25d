import { describe, expect, it } from "vitest";
import { type CiRule, grantOf } from "./access.ts";
import { ciEvidence, ciText, readCi, refOf, type Variables } from "./facts.ts";

const commit = "a".repeat(40);

/** As each CI's documentation lists them. */
const jobs: Readonly<Record<string, Variables>> = {
  github: {
    GITHUB_ACTIONS: "true",
    GITHUB_SHA: commit,
    GITHUB_REF: "refs/heads/main",
    GITHUB_REF_NAME: "main",
    GITHUB_REF_TYPE: "branch",
    GITHUB_ACTOR: "octocat",
    GITHUB_SERVER_URL: "https://github.com",
    GITHUB_REPOSITORY: "acme/shop",
    GITHUB_RUN_ID: "1658821493",
  },
  gitlab: {
    GITLAB_CI: "true",
    CI_COMMIT_SHA: commit,
    CI_COMMIT_BRANCH: "main",
    GITLAB_USER_LOGIN: "ada",
    CI_JOB_URL: "https://gitlab.com/acme/shop/-/jobs/1",
  },
  jenkins: {
    JENKINS_URL: "https://ci.example/",
    GIT_COMMIT: commit,
    GIT_BRANCH: "origin/main",
    BUILD_USER_ID: "ada",
    BUILD_URL: "https://ci.example/job/shop/7/",
  },
  woodpecker: {
    CI: "woodpecker",
    CI_COMMIT_SHA: commit,
    CI_COMMIT_BRANCH: "main",
    CI_COMMIT_AUTHOR: "ada",
    CI_PIPELINE_URL: "https://wp.example/repos/7/pipeline/8",
  },
  circleci: {
    CIRCLECI: "true",
    CIRCLE_SHA1: commit,
    CIRCLE_BRANCH: "main",
    CIRCLE_USERNAME: "ada",
    CIRCLE_BUILD_URL: "https://circleci.com/gh/acme/shop/42",
  },
};

describe("a CI's variables", () => {
  it("name the commit, its branch, who began it and where the job is", () => {
    for (const [ci, env] of Object.entries(jobs)) {
      const facts = readCi(env);
      expect(facts, ci).toMatchObject({ ci, commit, branch: "main", tag: null, pullRequest: null });
      expect(facts?.actor, ci).toMatch(/ada|octocat/);
      expect(facts?.url, ci).toMatch(/^https:/);
      expect(refOf(facts!)).toEqual({ kind: "branch", name: "main" });
    }
    expect(readCi(jobs.github!)?.url).toBe("https://github.com/acme/shop/actions/runs/1658821493");
    expect(ciText(readCi(jobs.jenkins!)!)).toBe("by Jenkins: https://ci.example/job/shop/7/");
  });

  it("name a tag, and a pull request by the commit that was pushed, not by a merge that is nowhere else", () => {
    const pull = {
      ...jobs.github,
      GITHUB_REF: "refs/pull/7/merge",
      GITHUB_REF_NAME: "7/merge",
      GITHUB_HEAD_REF: "fix",
    };
    const head = "b".repeat(40);
    expect(readCi(pull, head)).toMatchObject({ commit: head, branch: "fix", pullRequest: "7" });
    expect(refOf(readCi(pull, head)!)).toEqual({ kind: "pull-request", name: "7", head: "refs/pull/7/head" });
    const tag = { ...jobs.github, GITHUB_REF: "refs/tags/v1", GITHUB_REF_NAME: "v1", GITHUB_REF_TYPE: "tag" };
    expect(refOf(readCi(tag)!)).toEqual({ kind: "tag", name: "v1" });
    const merge = {
      ...jobs.gitlab,
      CI_COMMIT_BRANCH: "",
      CI_MERGE_REQUEST_SOURCE_BRANCH_NAME: "fix",
      CI_MERGE_REQUEST_IID: "9",
    };
    expect(refOf(readCi(merge)!)).toEqual({ kind: "pull-request", name: "9", head: "refs/merge-requests/9/head" });
    expect(ciEvidence(readCi(merge)!)).toContainEqual(["pull request", "9"]);
  });

  it("that name no commit, or none in full, are no job's", () => {
    expect(readCi({})).toBeNull();
    expect(readCi({ ...jobs.github, GITHUB_SHA: "abc123" })).toBeNull();
    expect(readCi({ ...jobs.gitlab, CI_COMMIT_SHA: "--upload-pack=x" })).toBeNull();
    expect(refOf(readCi({ ...jobs.circleci, CIRCLE_BRANCH: "--upload-pack=x" })!)).toBeNull();
  });
});

describe("claims", () => {
  const rule: CiRule = {
    issuer: "https://issuer.example",
    audience: "slipway",
    claims: { repository: ["acme/shop"], ref: ["refs/heads/main", "refs/tags/v*"] },
    environments: ["production"],
    verbs: ["deploy"],
  };
  const claims = {
    iss: rule.issuer,
    aud: "slipway",
    sub: "repo:acme/shop",
    repository: "acme/shop",
    ref: "refs/tags/v1",
    actor: "ada",
    sha: commit,
  };

  it("allow what every rule that they satisfy allows, and nothing else", () => {
    const more = { ...rule, environments: ["staging"], verbs: ["deploy", "rollback"] as const };
    const never = { ...rule, claims: { repository: ["acme/other"] }, environments: ["secret"] };
    expect(grantOf(claims, [rule, more, never])).toEqual({
      is: "granted",
      grant: {
        allowed: [
          { environment: "production", verb: "deploy" },
          { environment: "staging", verb: "deploy" },
          { environment: "staging", verb: "rollback" },
        ],
        subject: "repo:acme/shop",
        actor: "ada",
        commit,
      },
    });
  });

  it("that say otherwise, or nothing, are refused with what they say", () => {
    const why = (given: object) => {
      const answer = grantOf(given as never, [rule]);
      return answer.is === "refused" ? answer.why[0] : "granted";
    };
    expect(why({ ...claims, ref: "refs/heads/feature" })).toBe(
      "production: ref is refs/heads/feature, wanted refs/heads/main or refs/tags/v*",
    );
    expect(why({ ...claims, repository: undefined })).toBe("production: it says nothing of repository");
    expect(why({ ...claims, repository: "acme/shop-evil" })).toContain("repository is acme/shop-evil");
    expect(why({ ...claims, aud: "other" })).toContain("it is for other, not for slipway");
    expect(why({ ...claims, iss: "https://other.example" })).toContain("not of https://issuer.example");
    expect(why({ ...claims, ref: { toString: "refs/heads/main" } })).toContain("it says nothing of ref");
  });

  it("of somebody who is called as the control plane is are their job's", () => {
    const answer = grantOf({ ...claims, actor: "slipway" }, [rule]);
    expect(answer.is === "granted" ? answer.grant.actor : "refused").toBe("repo:acme/shop");
  });

  it("of a pull request name no commit that could be fetched", () => {
    const answer = grantOf({ ...claims, event_name: "pull_request" }, [rule]);
    expect(answer.is === "granted" ? answer.grant.commit : "refused").toBeNull();
  });
});
