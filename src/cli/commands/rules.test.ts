import { stripVTControlCharacters as plain } from "node:util";
import { expect, it } from "vitest";
import type { HistoryView, RulesView } from "../../api/contract.ts";
import { environmentName, releaseId, serviceName } from "../../core/ids.ts";
import { listLines, ruleLines } from "./rules.ts";

const firing: RulesView["rules"][number] = {
  environment: environmentName("production"),
  release: releaseId("rel_1"),
  name: "errors",
  text: "error ratio > 10% for 5m -> rollback",
  service: serviceName("web"),
  is: "firing",
  reason: "error ratio is 12 % (above 10 %), of 400, for 5m20s",
  forMs: 20_400,
  firedAt: 1,
  severity: "critical",
  actions: ["rollback", "notify team"],
  dryRun: true,
  evidence: [["plot", "▁▁▇█  highest 12 % in 6m, limit 10 %"]],
};
const quiet = { ...firing, name: "queue", is: "unknown", reason: "not looked yet", forMs: null, actions: [] } as const;

it("rules are listed by environment, each with how it stands, why, and what it does", () => {
  expect(listLines([firing, quiet]).map(plain)).toEqual([
    "production",
    "  ✖ errors  firing for 20s  error ratio is 12 % (above 10 %), of 400, for 5m20s  rollback, notify team (dry run)",
    "  ○ queue   unknown         not looked yet                                       written down (dry run)",
  ]);
  expect(listLines([])).toEqual([expect.stringContaining("no rules are in force")]);
});

it("one rule shows its line, its plot, and how it turned before with what it saw then", () => {
  const turn = (event: string, reason: string, evidence: HistoryView["evidence"]): HistoryView => ({
    at: 0,
    environment: firing.environment,
    deployment: null,
    event,
    actor: "rule errors",
    reason,
    evidence,
  });
  const turns = [
    turn("rule.resolved", "error ratio is 1 %", []),
    turn("rule.action-failed", "error ratio is high, and rollback was not done", []),
    turn("rule.measured", "error ratio is 30 %", []),
    turn("rule.unmeasured", "error ratio could not be measured", []),
    turn("rule.fired", "error ratio is 30 %", [["plot", "▁█  highest 30 % in 6m, limit 10 %"]]),
  ];
  const text = ruleLines(firing, turns).map(plain).join("\n");
  expect(text).toContain("rule    error ratio > 10% for 5m -> rollback");
  expect(text).toContain("plot    ▁▁▇█  highest 12 % in 6m, limit 10 %");
  expect(text.split("\n").flatMap((line) => / {2}([a-z ]+?) +error ratio (?:is|could)/.exec(line)?.[1] ?? [])).toEqual([
    ...["resolved", "not done", "measured", "unknown", "fired"],
  ]);
  expect(text).toMatch(/fired +error ratio is 30 %\n +▁█ {2}highest 30 % in 6m, limit 10 %$/);
  expect(ruleLines(quiet, []).map(plain).at(-1)).toContain("has not turned yet");
});
