import type { Evidence as Line } from "../../../src/core/errors/error.ts";
import { dateTime } from "../time-text.ts";

/** Labels on the left, what was seen on the right; a label is said once for lines that follow each other. */
export function Evidence({ lines }: { readonly lines: readonly Line[] }) {
  return (
    <dl className="evidence">
      {grouped(lines).map(({ label, texts }) => (
        <div key={`${label} ${texts[0]}`}>
          <dt>{label}</dt>
          {texts.map((text) => (
            <dd key={text}>{inLocalTime(text)}</dd>
          ))}
        </div>
      ))}
    </dl>
  );
}

export function grouped(lines: readonly Line[]): { readonly label: string; readonly texts: readonly string[] }[] {
  const groups: { label: string; texts: string[] }[] = [];
  for (const [label, text] of lines) {
    const last = groups.at(-1);
    if (last !== undefined && (last.label === label || label === "")) {
      if (!last.texts.includes(text)) last.texts.push(text);
    } else groups.push({ label, texts: [text] });
  }
  return groups;
}

/** What is kept says its times for every reader alike; here there is only one. */
const inLocalTime = (text: string): string =>
  text.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, (time) => dateTime(Date.parse(time)));
