import { type Finding, insideOf, printOf, type Severity } from "./finding.ts";
import { fieldOf, isObject, lineOf, listOf, textOf } from "./json.ts";
import { UnreadableReport } from "./xml.ts";

/** SARIF 2.1.0, as far as it says what was found where. Errors: UnreadableReport. */
export function readSarif(log: unknown, top: string): readonly Finding[] {
  const runs = fieldOf(log, "runs");
  if (!Array.isArray(runs)) throw new UnreadableReport("it is no SARIF log: it has no runs");
  return runs.flatMap((run) => {
    const failed = listOf(fieldOf(run, "invocations")).find((one) => fieldOf(one, "executionSuccessful") === false);
    if (failed !== undefined) throw new UnreadableReport("its tool says that it has not run to its end");
    const rules = rulesOf(run);
    const tool = textOf(fieldOf(run, "tool", "driver", "name")) || "SARIF";
    return listOf(fieldOf(run, "results"))
      .filter((result) => listOf(fieldOf(result, "suppressions")).length === 0)
      .flatMap((result) => findingOf(result, { rules, tool, top }) ?? []);
  });
}

type Rules = ReadonlyMap<string, unknown>;

function rulesOf(run: unknown): Rules {
  const parts = [fieldOf(run, "tool", "driver"), ...listOf(fieldOf(run, "tool", "extensions"))];
  const rules = parts.flatMap((part) => listOf(fieldOf(part, "rules")));
  return new Map(rules.map((rule) => [textOf(fieldOf(rule, "id")), rule]));
}

/** Null for what was looked at and is well. */
function findingOf(
  result: unknown,
  { rules, tool, top }: { readonly rules: Rules; readonly tool: string; readonly top: string },
): Finding | null {
  const kind = fieldOf(result, "kind");
  if (kind !== undefined && kind !== "fail") return null;
  const rule = textOf(fieldOf(result, "ruleId")) || textOf(fieldOf(result, "rule", "id"));
  const severity = severityIn(result, rules.get(rule));
  if (severity === null) return null;
  const place = fieldOf(listOf(fieldOf(result, "locations"))[0], "physicalLocation");
  const file = insideOf(textOf(fieldOf(place, "artifactLocation", "uri")), top);
  const message = textOf(fieldOf(result, "message", "text"));
  const theirs = theirPrint(result);
  return {
    fingerprint: printOf(tool, rule, file, theirs ?? message),
    tool,
    severity,
    rule,
    message,
    file,
    line: lineOf(fieldOf(place, "region", "startLine")),
    package: null,
  };
}

/** What the tool itself calls the same from commit to commit. It may be of a line alone, and is the same in each file then: Flawfinder's is. */
function theirPrint(result: unknown): string | null {
  for (const key of ["fingerprints", "partialFingerprints"]) {
    const prints = fieldOf(result, key);
    if (!isObject(prints)) continue;
    const [first] = Object.keys(prints).toSorted();
    const print = first === undefined ? "" : textOf(prints[first]);
    if (print !== "") return print;
  }
  return null;
}

/**
 * By `security-severity`, where a rule has one, in the steps of CVSS as GitHub takes them, else by its level. Source:
 * https://docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
 */
function severityIn(result: unknown, rule: unknown): Severity | null {
  const level = fieldOf(result, "level") ?? fieldOf(rule, "defaultConfiguration", "level") ?? "warning";
  if (level === "none") return null;
  const score = Number(
    fieldOf(result, "properties", "security-severity") ??
      fieldOf(rule, "properties", "security-severity") ??
      Number.NaN,
  );
  if (score > 0 && score <= 10) return score >= 9 ? "critical" : score >= 7 ? "high" : score >= 4 ? "medium" : "low";
  return level === "error" ? "high" : level === "note" ? "low" : "medium";
}
