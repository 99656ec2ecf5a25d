import { z } from "zod";
import type { CommitCheck } from "../../../core/forge/check.ts";
import type { ReportState } from "../../../core/forge/report.ts";
import type { CheckReport, DeploymentReport, Forge } from "../../../ports/forge.ts";
import {
  allOf,
  anything,
  type Call,
  caller,
  newestOf,
  numbered,
  type Opened,
  orNone,
  tokenOf,
  withId,
} from "./call.ts";
import { keepComment } from "./comments.ts";
import { installationTokens } from "./github-app.ts";

const states: Readonly<Record<ReportState, string>> = {
  waiting: "pending",
  running: "pending",
  succeeded: "success",
  failed: "failure",
  cancelled: "error",
};

const pageSize = 100;

const checksShape = z.object({
  check_runs: z.array(z.object({ id: z.number(), external_id: z.string().nullish() })),
});
const deploymentsShape = z.array(z.object({ id: z.number(), payload: z.unknown() }));
const commentsShape = z.array(z.object({ id: z.number(), body: z.string().nullish() }));
const statusesShape = z.array(z.object({ context: z.string(), state: z.string(), description: z.string().nullish() }));
const runsShape = z.object({
  check_runs: z.array(z.object({ name: z.string(), status: z.string(), conclusion: z.string().nullish() })),
});
const pullsShape = z.array(z.object({ number: z.number(), state: z.string() }));

/** Source of every path and field: GitHub's OpenAPI description, api.github.com, as in @octokit/openapi 23.0.2. */
export function githubForge(opened: Opened): Forge {
  const { settings } = opened;
  const { app } = settings;
  const bearer = app === null ? () => tokenOf(opened) : installationTokens(opened, app);
  const call: Call = caller(opened, async (signal) => ({
    authorization: `Bearer ${await bearer(signal)}`,
    accept: "application/vnd.github+json",
    "x-github-api-version": "2022-11-28",
  }));
  const at = `/repos/${settings.repository}`;
  return {
    can: { checks: app !== null, deployments: settings.deployments },

    async setStatus({ commit, context, state, description, url }, signal) {
      const body = { state: states[state], context, description, ...(url === null ? {} : { target_url: url }) };
      await call(anything, { method: "POST", path: `${at}/statuses/${commit}`, body, signal });
    },

    async setCheck(report, known, signal) {
      const body = checkBody(report);
      const update = (id: string) =>
        orNone(call(withId, { method: "PATCH", path: `${at}/check-runs/${id}`, body, signal }));
      const id = known ?? (await checkOf(report));
      if (id !== null && (await update(id)) !== null) return id;
      const made = { ...body, head_sha: report.commit };
      return (await call(withId, { method: "POST", path: `${at}/check-runs`, body: made, signal })).id;

      async function checkOf({ commit, context, key }: CheckReport): Promise<string | null> {
        const query = new URLSearchParams({ check_name: context, filter: "all", per_page: `${pageSize}` });
        const { check_runs } = await call(checksShape, { path: `${at}/commits/${commit}/check-runs?${query}`, signal });
        return check_runs.find(({ external_id }) => external_id === key)?.id.toString() ?? null;
      }
    },

    async setDeployment(report, known, signal) {
      const id = known ?? (await deploymentOf(report)) ?? (await made(report));
      const body = deploymentStatus(report);
      await call(anything, { method: "POST", path: `${at}/deployments/${id}/statuses`, body, signal });
      return id;

      async function deploymentOf({ commit, environment, key }: DeploymentReport): Promise<string | null> {
        const query = new URLSearchParams({ sha: commit, environment, per_page: `${pageSize}` });
        const all = await call(deploymentsShape, { path: `${at}/deployments?${query}`, signal });
        return all.find(({ payload }) => isOurs(payload, key))?.id.toString() ?? null;
      }

      async function made({ commit, environment, key, description }: DeploymentReport): Promise<string> {
        const body = {
          ref: commit,
          environment,
          description,
          payload: { slipway: key },
          // It happens here, whatever the forge thinks of the commit's checks, and merges nothing.
          auto_merge: false,
          required_contexts: [],
        };
        return (await call(withId, { method: "POST", path: `${at}/deployments`, body, signal })).id;
      }
    },

    async pullRequest(commit, signal) {
      const pulls = await orNone(call(pullsShape, { path: `${at}/commits/${commit}/pulls`, signal }));
      return (pulls?.find(({ state }) => state === "open") ?? pulls?.[0])?.number ?? null;
    },

    async checks(commit, signal) {
      const statuses = await allOf(
        numbered(pageSize, (number) =>
          call(statusesShape, { path: `${at}/commits/${commit}/statuses?per_page=${pageSize}&page=${number}`, signal }),
        ),
      );
      const runs = await allOf(
        numbered(pageSize, async (number) => {
          const query = `filter=latest&per_page=${pageSize}&page=${number}`;
          return (await call(runsShape, { path: `${at}/commits/${commit}/check-runs?${query}`, signal })).check_runs;
        }),
      );
      return [
        ...newestOf(
          statuses.map(({ context, state, description }) => ({
            name: context,
            state: state === "success" ? "succeeded" : state === "pending" ? "pending" : "failed",
            says: description == null || description === "" ? state : `${state}: ${description}`,
          })),
        ),
        // Several apps may have checks of one name; each is one.
        ...runs.map(ofRun),
      ];
    },

    setComment(comment, known, signal) {
      const issue = `${at}/issues/${comment.pull}/comments`;
      return keepComment(
        {
          pages: () =>
            numbered(pageSize, async (number) => {
              const all = await call(commentsShape, { path: `${issue}?per_page=${pageSize}&page=${number}`, signal });
              return all.map(({ id, body }) => ({ id: `${id}`, body: body ?? "" }));
            }),
          edit: async (id, body) => {
            await call(anything, { method: "PATCH", path: `${at}/issues/comments/${id}`, body: { body }, signal });
          },
          add: async (body) => (await call(withId, { method: "POST", path: issue, body: { body }, signal })).id,
        },
        comment,
        known,
      );
    },
  };
}

/** As branch protection sees them: what was skipped or is neutral keeps nothing. */
const passes: readonly (string | null | undefined)[] = ["success", "neutral", "skipped"];

function ofRun({ name, status, conclusion }: z.infer<typeof runsShape>["check_runs"][number]): CommitCheck {
  if (status !== "completed") return { name, state: "pending", says: status };
  // It waits for a person at the forge.
  if (conclusion === "action_required") return { name, state: "pending", says: conclusion };
  return { name, state: passes.includes(conclusion) ? "succeeded" : "failed", says: conclusion ?? status };
}

const conclusions: Readonly<Partial<Record<ReportState, string>>> = {
  succeeded: "success",
  failed: "failure",
  cancelled: "cancelled",
};

function checkBody({ context, key, state, url, title, summary, startedAt, endedAt }: CheckReport) {
  const conclusion = conclusions[state];
  return {
    name: context,
    external_id: key,
    ...(url === null ? {} : { details_url: url }),
    ...(startedAt === null ? {} : { started_at: new Date(startedAt).toISOString() }),
    ...(conclusion === undefined
      ? { status: state === "waiting" ? "queued" : "in_progress" }
      : { status: "completed", conclusion, completed_at: new Date(endedAt ?? startedAt ?? 0).toISOString() }),
    output: { title, summary },
  };
}

function deploymentStatus({ state, gated, description, url, environment, environmentUrl }: DeploymentReport) {
  const named: Readonly<Record<ReportState, string>> = {
    waiting: gated ? "pending" : "queued",
    running: "in_progress",
    succeeded: "success",
    failed: "failure",
    cancelled: "error",
  };
  return {
    state: named[state],
    environment,
    description,
    ...(url === null ? {} : { log_url: url }),
    ...(environmentUrl === null ? {} : { environment_url: environmentUrl }),
  };
}

/** A payload may come back as the text that it was sent as. */
function isOurs(payload: unknown, key: string): boolean {
  if (typeof payload === "string") {
    try {
      return isOurs(JSON.parse(payload), key);
    } catch {
      return false;
    }
  }
  return typeof payload === "object" && payload !== null && "slipway" in payload && payload.slipway === key;
}
