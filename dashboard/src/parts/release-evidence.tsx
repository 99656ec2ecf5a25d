import type { Evidence as Line } from "../../../src/core/errors/error.ts";
import { Evidence, grouped } from "./evidence.tsx";

/** What a release is and how it has fared: the change log as a list of its own, the rest by what it is about. */
export function ReleaseEvidence({ lines }: { readonly lines: readonly Line[] }) {
  const changes = lines.filter(([label]) => label === "changes").map(([, text]) => text);
  // Said above already.
  const rest = lines.filter(([label]) => label !== "changes" && label !== "release");
  return (
    <div className="release-evidence">
      <section aria-label="Changes">
        <h3>Changes</h3>
        {sections(changes).map(({ title, texts }) => (
          <div key={title ?? ""} className="changes">
            {title !== null && <h4>{title}</h4>}
            <ul>
              {texts.map((text) => (
                <li key={text}>{text}</li>
              ))}
            </ul>
          </div>
        ))}
      </section>
      <section aria-label="Evidence">
        <h3>Evidence</h3>
        <Evidence lines={rest} />
      </section>
    </div>
  );
}

/** `Features: a page` under its own heading, as the change log has it. */
function sections(changes: readonly string[]): { readonly title: string | null; readonly texts: readonly string[] }[] {
  const split = changes.map((text): Line => {
    const [, title, rest] = /^([A-Z][\w ]{2,40}): (.+)$/s.exec(text) ?? [];
    return title === undefined || rest === undefined ? ["—", text] : [title, rest];
  });
  return grouped(split).map(({ label, texts }) => ({ title: label === "—" ? null : label, texts }));
}
