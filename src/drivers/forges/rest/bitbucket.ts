import { createHash } from "node:crypto";
import { z } from "zod";
import type { ReportState } from "../../../core/forge/report.ts";
import type { Forge } from "../../../ports/forge.ts";
import { anything, type Call, caller, type Opened, orNone, pages, tokenOf, withId } from "./call.ts";
import { keepComment } from "./comments.ts";
import { noneOf } from "./none-of.ts";

const states: Readonly<Record<ReportState, string>> = {
  waiting: "INPROGRESS",
  running: "INPROGRESS",
  succeeded: "SUCCESSFUL",
  failed: "FAILED",
  cancelled: "STOPPED",
};

const maxKeyChars = 40;
const pageSize = 100;
const pullsShape = z.object({ values: z.array(z.object({ id: z.number(), state: z.string().nullish() })).nullish() });
const statusesShape = z.object({
  values: z.array(
    z.object({ key: z.string(), name: z.string().nullish(), state: z.string(), description: z.string().nullish() }),
  ),
});
const commentsShape = z.object({
  values: z.array(
    z.object({
      id: z.number(),
      deleted: z.boolean().nullish(),
      content: z.object({ raw: z.string().nullish() }).nullish(),
    }),
  ),
});

/** Sources: developer.atlassian.com/cloud/bitbucket/rest, commit statuses, commits and pullrequests, 2026-11. */
export function bitbucketForge(opened: Opened): Forge {
  const { settings } = opened;
  const call: Call = caller(opened, async () => {
    const token = await tokenOf(opened);
    // A person's comes with their name, a repository's or workspace's alone.
    const basic = token.includes(":");
    return { authorization: basic ? `Basic ${Buffer.from(token).toString("base64")}` : `Bearer ${token}` };
  });
  const at = `/repositories/${settings.repository}`;
  return {
    ...noneOf("bitbucket"),

    async setStatus({ commit, context, state, description, url }, signal) {
      const body = {
        key: keyOf(context),
        name: context,
        state: states[state],
        description,
        // It takes none without an address.
        url: url ?? `https://bitbucket.org/${settings.repository}/commits/${commit}`,
      };
      await call(anything, { method: "POST", path: `${at}/commit/${commit}/statuses/build`, body, signal });
    },

    /** Known only where the app "Pull Request Commit Links" is on; else it is not there. */
    async pullRequest(commit, signal) {
      const path = `${at}/commit/${commit}/pullrequests?pagelen=50`;
      const all = (await orNone(call(pullsShape, { path, signal })))?.values ?? [];
      return (all.find(({ state }) => state === "OPEN") ?? all[0])?.id ?? null;
    },

    async checks(commit, signal) {
      const all = await pages(pageSize, async (number) => {
        const path = `${at}/commit/${commit}/statuses?pagelen=${pageSize}&page=${number}`;
        return (await call(statusesShape, { path, signal })).values;
      });
      return all.map(({ key, name, state, description }) => ({
        name: name == null || name === "" ? key : name,
        state: state === "SUCCESSFUL" ? "succeeded" : state === "INPROGRESS" ? "pending" : "failed",
        says: description == null || description === "" ? state : `${state}: ${description}`,
      }));
    },

    setComment(comment, known, signal) {
      const comments = `${at}/pullrequests/${comment.pull}/comments`;
      const content = (body: string) => ({ content: { raw: body } });
      return keepComment(
        {
          pageSize,
          page: async (number) => {
            const { values } = await call(commentsShape, {
              path: `${comments}?pagelen=${pageSize}&page=${number}`,
              signal,
            });
            return values.map(({ id, deleted, content: text }) => ({
              id: `${id}`,
              body: deleted === true ? "" : (text?.raw ?? ""),
            }));
          },
          edit: async (id, body) => {
            await call(anything, { method: "PUT", path: `${comments}/${id}`, body: content(body), signal });
          },
          add: async (body) => (await call(withId, { method: "POST", path: comments, body: content(body), signal })).id,
        },
        comment,
        known,
      );
    },
  };
}

function keyOf(context: string): string {
  if (context.length <= maxKeyChars) return context;
  const digest = createHash("sha256").update(context).digest("hex").slice(0, 12);
  return `${context.slice(0, maxKeyChars - digest.length - 1)}-${digest}`;
}
