/** Nothing of it runs, loads or is shown in a frame; a form of it goes back to where it came from. */
export const pageHeaders = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy":
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-robots-tag": "noindex",
  "cache-control": "no-store",
} as const;

const style = `:root{color-scheme:light dark;--quiet:#666;--line:#ddd;--good:#18794e;--bad:#c62a2f;--busy:#0b68cb;--warn:#915907}
@media(prefers-color-scheme:dark){:root{--quiet:#999;--line:#333;--good:#3dd68c;--bad:#ff9592;--busy:#70b8ff;--warn:#ffca16}}
body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.4rem;margin:0}h2{font-size:1rem;margin:1.5rem 0 .25rem}p{margin:.25rem 0 1rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.3rem .75rem .3rem 0;border-top:1px solid var(--line)}
th{font-weight:normal;white-space:nowrap}td{overflow-wrap:anywhere}td.n{white-space:nowrap;text-align:right}
button,input{font:inherit;padding:.4rem .8rem;margin:.5rem .5rem 0 0}code{font-size:.9em}
.quiet{color:var(--quiet)}.good{color:var(--good)}.bad{color:var(--bad)}.busy{color:var(--busy)}.warn{color:var(--warn)}
.bar{background:var(--line);height:.5rem;border-radius:.25rem;margin-top:.5rem;min-width:8rem}.bar i{display:block;height:100%;border-radius:.25rem;background:var(--good)}`;

/** A whole page; the title is text, the body is HTML. `againS`: the browser asks for it again after so many seconds. */
export function page(title: string, body: string, { againS }: { readonly againS?: number } = {}): string {
  const again = againS === undefined ? "" : `<meta http-equiv="refresh" content="${againS}">`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">${again}
<title>${html(title)}</title>
<style>${style}</style>
</head><body>
${body}
</body></html>
`;
}

/** Text as text of HTML, also within a quoted attribute. */
export function html(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
