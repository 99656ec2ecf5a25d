import type { ForgeKind } from "../product/forges.ts";
import { cut, oneLine, type PageOf, type Reported, type ReportState, stateOf } from "./report.ts";

/**
 * By which our comment is found again. Nobody sees it: Bitbucket shows a comment of HTML as text, but no definition of a link that
 * nothing refers to.
 */
export function markerOf(product: string, forge: ForgeKind): string {
  return forge === "bitbucket" ? `[//]: # (slipway:${product})` : `<!-- slipway:${product} -->`;
}

const signs: Readonly<Record<ReportState, string>> = {
  waiting: "⏳",
  running: "🚀",
  succeeded: "✅",
  failed: "❌",
  cancelled: "⚪",
};

const maxReasonChars = 300;

/** `place`: where people find what was deployed; null where nobody knows, or it is not there yet. */
export type Commented = Reported & { readonly place?: string | null };

export type CommentOf = {
  readonly product: string;
  readonly forge: ForgeKind;
  /** Runs and deployments of the pull request's commits. */
  readonly all: readonly Commented[];
  readonly pageOf: PageOf;
};

/** The one comment of a pull request: how its newest run stands, and its newest deployment in each environment. */
export function commentBody({ product, forge, all, pageOf }: CommentOf): string {
  const newest = new Map<string, Commented>();
  for (const one of [...all].sort((a, b) => a.createdAt - b.createdAt)) newest.set(one.environment ?? "", one);
  const rows = [...newest]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([environment, one]) => {
      const url = pageOf(one.id);
      const name = environment === "" ? "run" : environment;
      const linked = url === null ? plain(name) : `[${plain(name)}](${url})`;
      const reason = plain(cut(oneLine(one.reason), maxReasonChars));
      const open = one.place == null ? "" : `<${one.place}> `;
      return `| ${linked} | ${signs[stateOf(one)]} ${plain(one.phase)} | \`${one.commit.slice(0, 7)}\` | ${open}${reason} |`;
    });
  return [
    markerOf(product, forge),
    "",
    `**${plain(product)}**`,
    "",
    "| | | commit | |",
    "|---|---|---|---|",
    ...rows,
  ].join("\n");
}

/**
 * Text from elsewhere in a table of Markdown: it makes no cell, no tag, no mention and no link. An at sign gets a joiner behind it that
 * nobody sees, so that nobody is called by a commit's message.
 */
function plain(text: string): string {
  return text
    .replaceAll(/[\\`*_[\]|~]/g, "\\$&")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll("@", "@\u2060")
    .replaceAll(/(https?):\/\//gi, "$1:\u2060//");
}
