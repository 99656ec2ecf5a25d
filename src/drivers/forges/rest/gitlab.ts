import { z } from "zod";
import { ForgeProblem } from "../../../core/forge/problem.ts";
import { cut, type ReportState } from "../../../core/forge/report.ts";
import type { Forge } from "../../../ports/forge.ts";
import { allOf, anything, type Call, caller, numbered, type Opened, orNone, tokenOf, withId } from "./call.ts";
import { keepComment } from "./comments.ts";
import { noneOf } from "./none-of.ts";

const states: Readonly<Record<ReportState, string>> = {
  waiting: "pending",
  running: "running",
  succeeded: "success",
  failed: "failed",
  cancelled: "canceled",
};

const pageSize = 100;
/** The longest text of a status that is taken. */
const maxTextChars = 255;
const notesShape = z.array(z.object({ id: z.number(), body: z.string() }));
const statusesShape = z.array(z.object({ name: z.string(), status: z.string(), description: z.string().nullish() }));
/** What will not run any more. */
const ended: readonly string[] = ["failed", "canceled", "skipped"];
const deploymentShape = z.object({
  id: z.number(),
  sha: z.string(),
  status: z.string(),
  deployable: z.unknown(),
  environment: z.object({ id: z.number(), external_url: z.string().nullish() }),
});
const requestsShape = z.array(z.object({ iid: z.number(), state: z.string() }));

/** Sources: docs.gitlab.com/api/commits, docs.gitlab.com/api/notes, docs.gitlab.com/api/deployments, docs.gitlab.com/api/environments, 2026-11. */
export function gitlabForge(opened: Opened): Forge {
  const { settings } = opened;
  const call: Call = caller(opened, async () => ({ "private-token": await tokenOf(opened) }));
  const at = `/projects/${encodeURIComponent(settings.repository)}`;
  return {
    ...noneOf("gitlab"),
    can: { checks: false, deployments: settings.deployments },

    async setStatus({ commit, context, state, description, url }, signal) {
      const body = {
        state: states[state],
        name: cut(context, maxTextChars),
        description: cut(description, maxTextChars),
        // Cut, it would lead elsewhere.
        ...(url === null || url.length > maxTextChars ? {} : { target_url: url }),
      };
      try {
        await call(anything, { method: "POST", path: `${at}/statuses/${commit}`, body, signal });
      } catch (error) {
        // Setting what it is already is refused: `Cannot transition status via :run from :running`.
        if (error instanceof ForgeProblem && error.status === 400 && isSame(error.message, states[state])) return;
        // Another of the same status is being set.
        if (error instanceof ForgeProblem && error.status === 409)
          throw new ForgeProblem("away", error.message, { status: error.status, retryAfterMs: error.retryAfterMs });
        throw error;
      }
    },

    async setDeployment({ commit, environment, state, environmentUrl }, known, signal) {
      if (state === "waiting") return known;
      const deployments = `${at}/deployments`;
      const status = states[state];
      const id = known ?? (await underWay()) ?? (await made());
      const path = `${deployments}/${id}`;
      let now = await call(deploymentShape, { path, signal });
      if (now.status !== status) now = await call(deploymentShape, { method: "PUT", path, body: { status }, signal });
      const { id: place, external_url: url } = now.environment;
      if (state === "succeeded" && environmentUrl !== null && environmentUrl !== url) {
        const body = { external_url: environmentUrl };
        await call(anything, { method: "PUT", path: `${at}/environments/${place}`, body, signal });
      }
      return id;

      /** It keeps no key of ours: one of this commit that runs there and is of no job of GitLab's is ours. */
      async function underWay(): Promise<string | null> {
        const query = new URLSearchParams({ environment, status: "running", per_page: `${pageSize}` });
        const all = await call(z.array(deploymentShape), { path: `${deployments}?${query}`, signal });
        return all.find(({ sha, deployable }) => sha === commit && deployable == null)?.id.toString() ?? null;
      }

      async function made(): Promise<string> {
        // A commit is a ref there too, and no branch is known of a promotion.
        const body = { environment, sha: commit, ref: commit, tag: false, status: states.running };
        return (await call(withId, { method: "POST", path: deployments, body, signal })).id;
      }
    },

    async pullRequest(commit, signal) {
      const path = `${at}/repository/commits/${commit}/merge_requests`;
      const all = await orNone(call(requestsShape, { path, signal }));
      return (all?.find(({ state }) => state === "opened") ?? all?.[0])?.iid ?? null;
    },

    async checks(commit, signal) {
      const all = await allOf(
        numbered(pageSize, (number) => {
          const path = `${at}/repository/commits/${commit}/statuses?per_page=${pageSize}&page=${number}`;
          return call(statusesShape, { path, signal });
        }),
      );
      // Those that ran again are listed only as they ran last.
      return all.map(({ name, status, description }) => ({
        name,
        state: status === "success" ? "succeeded" : ended.includes(status) ? "failed" : "pending",
        says: description == null || description === "" ? status : `${status}: ${description}`,
      }));
    },

    setComment(comment, known, signal) {
      const notes = `${at}/merge_requests/${comment.pull}/notes`;
      return keepComment(
        {
          // Notes that the token may not read are taken out of their page, so only an empty one is surely the last.
          pages: () =>
            numbered(1, async (number) => {
              const query = `per_page=${pageSize}&page=${number}&sort=asc&order_by=created_at`;
              return (await call(notesShape, { path: `${notes}?${query}`, signal })).map(({ id, body }) => ({
                id: `${id}`,
                body,
              }));
            }),
          edit: async (id, body) => {
            await call(anything, { method: "PUT", path: `${notes}/${id}`, body: { body }, signal });
          },
          add: async (body) => (await call(withId, { method: "POST", path: notes, body: { body }, signal })).id,
        },
        comment,
        known,
      );
    },
  };
}

function isSame(message: string, state: string | undefined): boolean {
  const from = /cannot transition status via :\w+ from :(\w+)/i.exec(message)?.[1];
  return from !== undefined && from === state;
}
