import type { Evidence } from "../core/errors/error.ts";
import { html, page } from "./page.ts";

export type ApprovalPage = {
  readonly product: string;
  readonly environment: string;
  readonly deployment: string;
  readonly person: string;
  readonly lines: readonly Evidence[];
  /** The id of what is live, which the word is said against; empty: nothing is. */
  readonly live: string;
};

/** What a person is asked, and a form. To look at it says nothing: only the form's POST does. */
export function approvalPage({ product, environment, deployment, person, lines, live }: ApprovalPage): string {
  const rows = lines.map(([label, text]) => `<tr><th class="quiet">${html(label)}</th><td>${html(text)}</td></tr>`);
  const title = `${product}: deploy to ${environment}?`;
  return page(
    title,
    `<h1>${html(title)}</h1>
<p>${html(deployment)} waits for your word, <b>${html(person)}</b>. This link is yours, and good for one word.</p>
<table>${rows.join("\n")}</table>
<form method="post">
<input type="hidden" name="live" value="${html(live)}">
<label>Why <input name="reason" maxlength="500"></label>
<button name="verdict" value="approved">Approve</button>
<button name="verdict" value="rejected">Reject</button>
</form>
<p>A rejection needs a reason.</p>`,
  );
}

export function saidPage(title: string, text: string): string {
  return page(title, `<h1>${html(title)}</h1>\n<p>${html(text)}</p>`);
}
