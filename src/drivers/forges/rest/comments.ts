import { ForgeProblem } from "../../../core/forge/problem.ts";
import type { Comment } from "../../../ports/forge.ts";
import { isGone } from "./call.ts";

export type Comments = {
  /** So many make a full page; one that is not full is the last. */
  readonly pageSize: number;
  /** Oldest first, the first page is 1. */
  readonly page: (number: number) => Promise<readonly { readonly id: string; readonly body: string }[]>;
  readonly edit: (id: string, body: string) => Promise<void>;
  readonly add: (body: string) => Promise<string>;
};

/** So many pages are looked through. Where ours is not among them, none is written: a second one would be worse than none. */
const maxPages = 20;

/** Edits the comment that is ours, or writes it where there is none. Looks before it writes, so that a repeat makes no second one. */
export async function keepComment(comments: Comments, comment: Comment, known: string | null): Promise<string> {
  const { marker, body } = comment;
  if (known !== null && (await edited(comments, known, body))) return known;
  for (let number = 1; number <= maxPages; number += 1) {
    const page = await comments.page(number);
    for (const { id, body: text } of page)
      if (text.startsWith(marker) && (await edited(comments, id, body).catch(notOurs))) return id;
    if (page.length < comments.pageSize) return comments.add(body);
  }
  throw new ForgeProblem(
    "refused",
    `ours is not among the first comments of pull request ${comment.pull}, which has too many`,
  );
}

async function edited({ edit }: Comments, id: string, body: string): Promise<boolean> {
  try {
    await edit(id, body);
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

/** Somebody else may write our marker; that comment stays theirs. */
function notOurs(error: unknown): false {
  if (error instanceof ForgeProblem && error.status === 403 && error.is === "refused") return false;
  throw error;
}
