import type { Finding, FindingIs, StepId } from "./step.ts";
import { steps } from "./steps.ts";

/** One line that the script tells a program, read. */
export type ScriptEvent =
  | { readonly is: "finding"; readonly step: StepId; readonly finding: Finding }
  | { readonly is: "begin"; readonly step: StepId }
  | { readonly is: "log"; readonly step: StepId; readonly line: string }
  | { readonly is: "done"; readonly step: StepId; readonly code: number }
  | { readonly is: "skipped"; readonly step: StepId; readonly needs: string }
  | { readonly is: "fact"; readonly name: string; readonly value: string };

const mark = "@slipway\t";
const findingKinds: readonly string[] = ["ok", "note", "missing", "blocked", "refused"] satisfies FindingIs[];

/** Null for every line that is not the script's own: a banner, an `/etc/profile` that speaks, a line that was cut. */
export function readScriptLine(line: string): ScriptEvent | null {
  if (!line.startsWith(mark)) return null;
  const [kind, first = "", ...rest] = line.slice(mark.length).split("\t").map(harmless);
  if (kind === "fact") return { is: "fact", name: first, value: rest[0] ?? "" };
  const step = steps.find((each) => each.id === first)?.id;
  if (step === undefined) return null;
  switch (kind) {
    case "finding": {
      const [is = "", evidence = "", hint = ""] = rest;
      if (!findingKinds.includes(is)) return null;
      return { is: kind, step, finding: { is: is as FindingIs, evidence, hint: hint === "" ? null : hint } };
    }
    case "begin":
      return { is: kind, step };
    case "log":
      return { is: kind, step, line: rest[0] ?? "" };
    case "done":
      return /^\d{1,3}$/.test(rest[0] ?? "") ? { is: kind, step, code: Number(rest[0]) } : null;
    case "skipped":
      return { is: kind, step, needs: rest[0] ?? "" };
    default:
      return null;
  }
}

/** A server may be somebody else's by now: what it says must not move our terminal's cursor. */
function harmless(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "");
}

/** What a server is, against what it should be: each step with all that was found, in the order of the list. */
export type Audit = {
  readonly steps: readonly {
    readonly id: StepId;
    readonly title: string;
    readonly why: string;
    readonly findings: readonly Finding[];
  }[];
  readonly facts: Readonly<Record<string, string>>;
};

/** Null when the script did not come to its end: a step without any finding is an audit that says nothing. */
export function auditOf(events: readonly ScriptEvent[]): Audit | null {
  const found = steps.map(({ id, title, why }) => ({
    id,
    title,
    why,
    findings: events.flatMap((event) => (event.is === "finding" && event.step === id ? [event.finding] : [])),
  }));
  if (found.some((step) => step.findings.length === 0)) return null;
  return {
    steps: found,
    facts: Object.fromEntries(events.flatMap((event) => (event.is === "fact" ? [[event.name, event.value]] : []))),
  };
}

const worstFirst: readonly FindingIs[] = ["refused", "missing", "blocked", "note", "ok"];

/** The worst of some findings; of none it is `ok`. */
export function worstOf(findings: readonly Finding[]): FindingIs {
  return worstFirst.find((is) => findings.some((finding) => finding.is === is)) ?? "ok";
}

/** All findings that keep a server from being ready. */
export function troubles(audit: Audit): readonly { readonly step: StepId; readonly finding: Finding }[] {
  return audit.steps.flatMap(({ id, findings }) =>
    findings
      .filter((finding) => finding.is !== "ok" && finding.is !== "note")
      .map((finding) => ({ step: id, finding })),
  );
}
