import { describe, expect, it } from "vitest";
import { auditOf, readScriptLine, troubles, worstOf } from "./report.ts";
import { steps } from "./steps.ts";

const finding = (step: string, is: string, evidence = "seen"): string =>
  `@slipway\tfinding\t${step}\t${is}\t${evidence}\t`;
const events = (lines: readonly string[]) => lines.map(readScriptLine).filter((event) => event !== null);
const everyStepIs = (is: string): string[] => steps.map((step) => finding(step.id, is));

describe("what the script tells", () => {
  it("is read line by line, and other people's lines are not", () => {
    expect(readScriptLine("Welcome to Ubuntu")).toBeNull();
    expect(readScriptLine("@slipway\tfinding\tnowhere\tok\tx\t")).toBeNull();
    expect(readScriptLine("@slipway\tfinding\tssh\tfine\tx\t")).toBeNull();
    expect(readScriptLine("@slipway\tdone\tssh\tmany")).toBeNull();
    expect(readScriptLine(finding("ssh", "missing", "passwords"))).toEqual({
      is: "finding",
      step: "ssh",
      finding: { is: "missing", evidence: "passwords", hint: null },
    });
    expect(readScriptLine("@slipway\tdone\tengine\t100")).toEqual({ is: "done", step: "engine", code: 100 });
  });

  it("cannot move the cursor of a terminal", () => {
    expect(readScriptLine(finding("ssh", "ok", "a\u001b[2Jb\u009bc"))).toMatchObject({
      finding: { evidence: "a[2Jbc" },
    });
  });

  it("is no audit when it was cut", () => {
    expect(auditOf(events(everyStepIs("ok").slice(0, -1)))).toBeNull();
    expect(auditOf(events(everyStepIs("ok")))).not.toBeNull();
  });

  it("is as bad as its worst finding; a note is no trouble", () => {
    const audit = auditOf(events([...everyStepIs("note"), finding("disk", "refused", "full"), finding("disk", "ok")]))!;
    expect(worstOf(audit.steps.find((step) => step.id === "disk")!.findings)).toBe("refused");
    expect(troubles(audit).map((each) => each.step)).toEqual(["disk"]);
    expect(worstOf([])).toBe("ok");
  });
});
