import { z } from "zod";
import type { ReportState } from "../../../core/forge/report.ts";
import type { Forge } from "../../../ports/forge.ts";
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
import { noneOf } from "./none-of.ts";

const states: Readonly<Record<ReportState, string>> = {
  waiting: "pending",
  running: "pending",
  succeeded: "success",
  failed: "failure",
  cancelled: "error",
};

/** What it gives at most on a page, unless it was set up otherwise. */
const pageSize = 50;
const maxPages = 10;
const pullsShape = z.array(z.object({ number: z.number(), head: z.object({ sha: z.string() }) }));
const pullShape = z.object({ number: z.number() });
const statusesShape = z.array(z.object({ context: z.string(), status: z.string(), description: z.string().nullish() }));
const commentsShape = z.array(z.object({ id: z.number(), body: z.string() }));

/** Source: Gitea's Swagger (templates/swagger/v1_json.tmpl), which Forgejo shares, 2026-11. */
export function giteaForge(opened: Opened): Forge {
  const { settings } = opened;
  const call: Call = caller(opened, async () => ({ authorization: `token ${await tokenOf(opened)}` }));
  const at = `/repos/${settings.repository}`;
  return {
    ...noneOf("gitea"),

    async setStatus({ commit, context, state, description, url }, signal) {
      const body = { state: states[state], context, description, ...(url === null ? {} : { target_url: url }) };
      await call(anything, { method: "POST", path: `${at}/statuses/${commit}`, body, signal });
    },

    /** It knows only of merged ones which commit was theirs; the open ones are looked through. */
    async pullRequest(commit, signal) {
      for (let page = 1; page <= maxPages; page += 1) {
        const path = `${at}/pulls?state=open&limit=${pageSize}&page=${page}`;
        const open = await call(pullsShape, { path, signal });
        const found = open.find(({ head }) => head.sha === commit);
        if (found !== undefined) return found.number;
        if (open.length === 0) break;
      }
      return (await orNone(call(pullShape, { path: `${at}/commits/${commit}/pull`, signal })))?.number ?? null;
    },

    async checks(commit, signal) {
      const all = await allOf(
        numbered(pageSize, (number) => {
          const path = `${at}/commits/${commit}/statuses?sort=highestindex&limit=${pageSize}&page=${number}`;
          return call(statusesShape, { path, signal });
        }),
      );
      return newestOf(
        all.map(({ context, status, description }) => ({
          name: context,
          state: status === "success" ? "succeeded" : status === "pending" ? "pending" : "failed",
          says: description == null || description === "" ? status : `${status}: ${description}`,
        })),
      );
    },

    setComment(comment, known, signal) {
      const issue = `${at}/issues/${comment.pull}/comments`;
      return keepComment(
        {
          // All at once: this list has no pages.
          pages: async function* () {
            yield (await call(commentsShape, { path: issue, signal })).map(({ id, body }) => ({ id: `${id}`, body }));
          },
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
