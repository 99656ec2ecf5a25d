import type { Evidence } from "../core/errors/error.ts";

export type ApprovalPage = {
  readonly product: string;
  readonly environment: string;
  readonly deployment: string;
  readonly person: string;
  readonly lines: readonly Evidence[];
  /** The id of what is live, which the word is said against; empty: nothing is. */
  readonly live: string;
};

/** Nothing of it runs, loads or is shown in a frame; its one form goes back to where it came from. */
export const pageHeaders = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy":
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-robots-tag": "noindex",
  "cache-control": "no-store",
} as const;

/** What a person is asked, and a form. To look at it says nothing: only the form's POST does. */
export function approvalPage(page: ApprovalPage): string {
  const { product, environment, deployment, person, lines, live } = page;
  const rows = lines.map(([label, text]) => `<tr><th>${html(label)}</th><td>${html(text)}</td></tr>`).join("\n");
  return whole(
    `${product}: deploy to ${environment}?`,
    `<p>${html(deployment)} waits for your word, <b>${html(person)}</b>. This link is yours, and good for one word.</p>
<table>${rows}</table>
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
  return whole(title, `<p>${html(text)}</p>`);
}

function whole(title: string, body: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${html(title)}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}th{text-align:left;vertical-align:top;padding-right:1rem;font-weight:normal;color:#666}td{overflow-wrap:anywhere}button,input{font:inherit;padding:.4rem .8rem;margin:.5rem .5rem 0 0}</style>
</head><body><h1>${html(title)}</h1>
${body}
</body></html>
`;
}

function html(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
