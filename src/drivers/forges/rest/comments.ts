import { ForgeProblem } from "../../../core/forge/problem.ts";
import type { Comment } from "../../../ports/forge.ts";
import { isGone } from "./call.ts";

export type Comments = {
  /** Oldest first. */
  readonly pages: () => AsyncIterable<readonly { readonly id: string; readonly body: string }[]>;
  readonly edit: (id: string, body: string) => Promise<void>;
  readonly add: (body: string) => Promise<string>;
};

/** So many pages are looked through. Where ours is not among them, none is written: a second one would be worse than none. */
const maxPages = 20;

/** Edits the comment that is ours, or writes it where there is none. Looks before it writes, so that a repeat makes no second one. */
export async function keepComment(comments: Comments, comment: Comment, known: string | null): Promise<string> {
  const { marker, body } = comment;
  if (known !== null && (await edited(comments, known, body))) return known;
  let looked = 0;
  for await (const page of comments.pages()) {
    looked += 1;
    if (looked > maxPages)
      throw new ForgeProblem(
        "refused",
        `ours is not among the first comments of pull request ${comment.pull}, which has too many`,
      );
    for (const { id, body: text } of page)
      if (text.startsWith(marker) && (await edited(comments, id, body).catch(notOurs))) return id;
  }
  return comments.add(body);
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
