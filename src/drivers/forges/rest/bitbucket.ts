import { createHash } from "node:crypto";
import { z } from "zod";
import { cut, type ReportState } from "../../../core/forge/report.ts";
import type { Forge } from "../../../ports/forge.ts";
import { allOf, anything, type Call, caller, type Opened, orNone, tokenOf, withId } from "./call.ts";
import { keepComment } from "./comments.ts";
import { noneOf } from "./none-of.ts";

const states: Readonly<Record<ReportState, string>> = {
  waiting: "INPROGRESS",
  running: "INPROGRESS",
  succeeded: "SUCCESSFUL",
  failed: "FAILED",
  cancelled: "STOPPED",
};

/** What it refuses beyond, as those who met it have written down: buildbot issue 7049, jenkinsci/bitbucket-branch-source-plugin pull request 928. */
const maxKeyChars = 40;
const maxNameChars = 255;
const maxUrlChars = 450;
/** The most that it gives of pull requests, and of the rest. */
const pullsSize = 50;
const pageSize = 100;
/** Short hashes are given of a pull request's head. */
const shortestHash = 8;

const paged = <T>(value: z.ZodType<T>) =>
  z.object({ values: z.array(value).nullish(), next: z.string().nullish() }) satisfies z.ZodType<Page<T>>;
type Page<T> = { readonly values?: T[] | null | undefined; readonly next?: string | null | undefined };

const head = z.object({ commit: z.object({ hash: z.string() }).nullish() });
const pullsShape = paged(z.object({ id: z.number(), state: z.string().nullish(), source: head.nullish() }));
const statusesShape = paged(
  z.object({ key: z.string(), name: z.string().nullish(), state: z.string(), description: z.string().nullish() }),
);
const commentsShape = paged(
  z.object({
    id: z.number(),
    deleted: z.boolean().nullish(),
    content: z.object({ raw: z.string().nullish() }).nullish(),
  }),
);

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
  /** Each page names the next one: not every list can be counted through. Only the API that is set is asked, whatever stands there. */
  async function* listed<T>(
    shape: z.ZodType<Page<T>>,
    first: string,
    signal: AbortSignal,
  ): AsyncGenerator<readonly T[]> {
    for (let path: string | null = first; path !== null; ) {
      const page: Page<T> = await call(shape, { path, signal });
      yield page.values ?? [];
      path = pathOf(page.next ?? null, settings.api);
    }
  }
  return {
    ...noneOf("bitbucket"),

    async setStatus({ commit, context, state, description, url }, signal) {
      const body = {
        key: keyOf(context),
        name: cut(context, maxNameChars),
        state: states[state],
        description,
        // It takes none without an address, and none of a long one.
        url:
          url === null || url.length > maxUrlChars
            ? `https://bitbucket.org/${settings.repository}/commits/${commit}`
            : url,
      };
      await call(anything, { method: "POST", path: `${at}/commit/${commit}/statuses/build`, body, signal });
    },

    /** The open ones are looked through. Of others it knows only where its app "Pull Request Commit Links" is on; else that is not there. */
    async pullRequest(commit, signal) {
      const isHead = (hash: string) => hash.length >= shortestHash && commit.startsWith(hash);
      const open = await allOf(listed(pullsShape, `${at}/pullrequests?state=OPEN&pagelen=${pullsSize}`, signal));
      const found = open.find(({ source }) => isHead(source?.commit?.hash ?? ""));
      if (found !== undefined) return found.id;
      const path = `${at}/commit/${commit}/pullrequests?pagelen=${pullsSize}`;
      const all = (await orNone(call(pullsShape, { path, signal })))?.values ?? [];
      return (all.find(({ state }) => state === "OPEN") ?? all[0])?.id ?? null;
    },

    async checks(commit, signal) {
      const all = await allOf(listed(statusesShape, `${at}/commit/${commit}/statuses?pagelen=${pageSize}`, signal));
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
          pages: async function* () {
            for await (const page of listed(commentsShape, `${comments}?pagelen=${pageSize}`, signal))
              yield page.map(({ id, deleted, content: text }) => ({
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

function pathOf(next: string | null, api: string): string | null {
  if (next === null || !URL.canParse(next)) return null;
  const { pathname, search } = new URL(next);
  const base = new URL(api).pathname.replace(/\/+$/, "");
  return pathname.startsWith(`${base}/`) ? pathname.slice(base.length) + search : null;
}

function keyOf(context: string): string {
  if (context.length <= maxKeyChars) return context;
  const digest = createHash("sha256").update(context).digest("hex").slice(0, 12);
  return `${context.slice(0, maxKeyChars - digest.length - 1)}-${digest}`;
}
