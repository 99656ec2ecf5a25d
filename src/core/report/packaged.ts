import { type Finding, printOf, severityOf } from "./finding.ts";
import { textOf } from "./json.ts";
import { UnreadableReport } from "./xml.ts";

/** An advisory and a package make one finding, whichever tool found it and in which version. */
export function packaged(
  tool: string,
  said: Readonly<Record<"severity" | "rule" | "message" | "name" | "version", unknown>>,
): Finding {
  const [rule, name] = [textOf(said.rule), textOf(said.name)];
  if (rule === "" || name === "")
    throw new UnreadableReport(`it is no report of ${tool}: a finding has no ${rule === "" ? "id" : "package"}`);
  return {
    fingerprint: printOf("package", rule, name),
    tool,
    severity: severityOf(said.severity),
    rule,
    message: textOf(said.message),
    file: null,
    line: null,
    package: `${name} ${textOf(said.version)}`.trim(),
  };
}
