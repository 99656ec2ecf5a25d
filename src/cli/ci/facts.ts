import { readFileSync } from "node:fs";
import { type CiFacts, readCi } from "../../core/ci/facts.ts";
import { SlipwayError } from "../../core/errors/error.ts";

/** What the CI says of the job that runs us. Errors: USAGE. */
export function factsOf(env: NodeJS.ProcessEnv): CiFacts {
  const facts = readCi(env, pullHeadIn(env.GITHUB_EVENT_PATH));
  if (facts !== null) return facts;
  throw new SlipwayError("USAGE", {
    message: "no variables of a CI that is known name a commit here",
    hint: "it is for jobs of GitHub Actions, GitLab CI, Jenkins, Woodpecker and CircleCI; elsewhere leave --from-ci out",
  });
}

/** GitHub's event has the commit that was pushed; its variable has a merge that is nowhere else. */
function pullHeadIn(file: string | undefined): string | null {
  if (file === undefined) return null;
  try {
    const event = JSON.parse(readFileSync(file, "utf8")) as { pull_request?: { head?: { sha?: unknown } } };
    const sha = event.pull_request?.head?.sha;
    return typeof sha === "string" ? sha : null;
  } catch {
    return null;
  }
}
