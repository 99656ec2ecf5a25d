import type { Finding } from "./finding.ts";
import { fieldOf, isObject, listOf, parseReport, textOf } from "./json.ts";
import { packaged } from "./packaged.ts";
import { UnreadableReport } from "./xml.ts";

/**
 * What the package managers of Node have found, each in its own JSON, as these have written it: npm 11.19.1, pnpm 10.34.9 and 12.21,
 * bun 1.4.5. Null: it is of none of them. One advisory of one package is the same finding, whoever tells of it.
 */
export function readNodeAudit(report: unknown): readonly Finding[] | null {
  if (fieldOf(report, "auditReportVersion") !== undefined) return npmAudit(report);
  const advisories = fieldOf(report, "advisories");
  if (isObject(advisories) && isObject(fieldOf(report, "metadata"))) return pnpmAudit(Object.values(advisories));
  return isObject(report) && Object.values(report).every(isBunList) ? bunAudit(report) : null;
}

function npmAudit(report: unknown): readonly Finding[] {
  const vulnerabilities = fieldOf(report, "vulnerabilities");
  if (!isObject(vulnerabilities)) throw new UnreadableReport("it is no report of npm audit: it has no vulnerabilities");
  return Object.values(vulnerabilities).flatMap((vulnerable) =>
    // A text among them names another package of this list, through which this one is vulnerable.
    listOf(fieldOf(vulnerable, "via"))
      .filter(isObject)
      .map((advisory) => {
        const name = textOf(advisory.name);
        const rule = ruleOf(advisory.url, advisory.source);
        const range = textOf(advisory.range);
        return packaged("npm audit", {
          severity: advisory.severity,
          rule,
          message: advisory.title,
          name,
          version: range,
        });
      }),
  );
}

function pnpmAudit(advisories: readonly unknown[]): readonly Finding[] {
  return advisories.map((advisory) =>
    packaged("pnpm audit", {
      severity: fieldOf(advisory, "severity"),
      rule: ruleOf(fieldOf(advisory, "url"), fieldOf(advisory, "id")),
      message: fieldOf(advisory, "title"),
      name: fieldOf(advisory, "module_name"),
      version: fieldOf(advisory, "vulnerable_versions"),
    }),
  );
}

/** By package, and nothing beside; of nothing found it is an empty object. */
function bunAudit(report: Readonly<Record<string, unknown>>): readonly Finding[] {
  return Object.entries(report).flatMap(([name, advisories]) =>
    listOf(advisories).map((advisory) =>
      packaged("bun audit", {
        severity: fieldOf(advisory, "severity"),
        rule: ruleOf(fieldOf(advisory, "url"), fieldOf(advisory, "id")),
        message: fieldOf(advisory, "title"),
        name,
        version: fieldOf(advisory, "vulnerable_versions"),
      }),
    ),
  );
}

const isBunList = (value: unknown): boolean =>
  Array.isArray(value) && value.length > 0 && value.every((one) => fieldOf(one, "vulnerable_versions") !== undefined);

/** The lines of `yarn npm audit --json` (4.18.1), one object each; null: the text is something else. */
export function yarnLines(text: string): readonly unknown[] | null {
  if (!text.startsWith('{"value":')) return null;
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  if (lines.length > mostLines) throw new UnreadableReport(`it has more than ${mostLines} lines`);
  return lines.map(parseReport);
}

/** More than findings are taken. */
const mostLines = 100_000;

/** An advisory a line; a package that is only deprecated is one too, of no advisory, and is left out. */
export function yarnAudit(lines: readonly unknown[]): readonly Finding[] {
  return lines.flatMap((line) => {
    const said = fieldOf(line, "children");
    if (!isObject(said)) throw new UnreadableReport("it is no report of yarn npm audit: a line has no children");
    if (textOf(said.ID).endsWith("(deprecation)")) return [];
    return packaged("yarn npm audit", {
      severity: said.Severity,
      rule: ruleOf(said.URL, said.ID),
      message: said.Issue,
      name: fieldOf(line, "value"),
      version: said["Vulnerable Versions"],
    });
  });
}

/** GitHub's name for it, which its address has in all of them; else the registry's number. */
function ruleOf(url: unknown, number: unknown): string {
  const named = /GHSA(-[0-9a-z]{4}){3}/.exec(textOf(url))?.[0];
  if (named !== undefined) return named;
  return number === undefined ? "" : `npm ${String(number)}`;
}
