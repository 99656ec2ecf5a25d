import { scanXml, UnreadableReport } from "./xml.ts";

/** Lines that can be run, and those that were. */
export type CoverageReport = { readonly covered: number; readonly lines: number; readonly files: number };

/** lcov or Cobertura XML, whichever it is. Errors: UnreadableReport. */
export function readCoverage(text: string): CoverageReport {
  return text.trimStart().startsWith("<") ? readCobertura(text) : readLcov(text);
}

export function addCoverage(a: CoverageReport, b: CoverageReport): CoverageReport {
  return { covered: a.covered + b.covered, lines: a.lines + b.lines, files: a.files + b.files };
}

function readLcov(text: string): CoverageReport {
  let [covered, lines, files] = [0, 0, 0];
  let file: { hit: number; all: number; found: number | null; hits: number | null } | null = null;
  for (const line of text.split("\n")) {
    if (line.startsWith("SF:")) file = { hit: 0, all: 0, found: null, hits: null };
    else if (file !== null && line.startsWith("DA:")) {
      file.all += 1;
      if (Number(line.split(",")[1]) > 0) file.hit += 1;
    } else if (file !== null && line.startsWith("LF:")) file.found = countOf(line);
    else if (file !== null && line.startsWith("LH:")) file.hits = countOf(line);
    else if (file !== null && line.startsWith("end_of_record")) {
      files += 1;
      // A file may have sums only.
      lines += file.all > 0 ? file.all : (file.found ?? 0);
      covered += file.all > 0 ? file.hit : Math.min(file.hits ?? 0, file.found ?? 0);
      file = null;
    }
  }
  if (files === 0) throw new UnreadableReport("it is no lcov report: it has no record of a file");
  return { covered, lines, files };
}

function countOf(line: string): number {
  const count = Number(line.slice(3));
  return Number.isSafeInteger(count) && count >= 0 ? count : 0;
}

function readCobertura(text: string): CoverageReport {
  let isCoverage = false;
  let [covered, lines] = [0, 0];
  let inMethod = 0;
  const files = new Set<string>();
  scanXml(text, {
    open: (name, attributes) => {
      if (name === "coverage") isCoverage = true;
      if (name === "class") files.add(attributes.get("filename") ?? "");
      // The lines of a method are said once more for its class.
      if (name === "methods") inMethod += 1;
      if (name !== "line" || inMethod > 0) return;
      lines += 1;
      if (Number(attributes.get("hits")) > 0) covered += 1;
    },
    text: () => {},
    close: (name) => {
      if (name === "methods") inMethod -= 1;
    },
  });
  if (!isCoverage) throw new UnreadableReport("it is no Cobertura report: it has no <coverage>");
  return { covered, lines, files: files.size };
}
