import type { PlanView } from "../../api/contract.ts";
import { readingLines } from "../gates-text.ts";
import { sign, style, table } from "../terminal/style.ts";

/** A plan as a person reads it before saying yes. */
export function planLines(plan: PlanView): string[] {
  const { differences = [], gates = [] } = plan;
  const from = plan.live === null ? "nothing" : `r${plan.live.number} ${plan.live.version}`;
  return [
    `${style.name(plan.environment)}  ${from} ${sign.arrow} ${style.name(`r${plan.release.number} ${plan.release.version}`)}  ${style.quiet(plan.strategy)}`,
    ...table(
      plan.services.map((service) => [
        `  ${changeSign(service.change)} ${service.name}`,
        service.kind,
        service.change,
        `instances ${service.instances}`,
      ]),
    ),
    ...plan.services.flatMap((service) =>
      service.config.map((line) => `      ${style.quiet(`${service.name}.${line}`)}`),
    ),
    ...plan.changeLog.flatMap((section) => [
      `  ${style.accent(section.title)}`,
      ...section.lines.map((line) => `    - ${line}`),
    ]),
    ...(gates.length > 0 ? [`  ${style.accent("Gates")}`, ...readingLines(gates).map((line) => `  ${line}`)] : []),
    `  ${style.accent("Steps")}`,
    ...plan.steps.map((step, index) => `    ${index + 1}. ${step}`),
    ...(differences.length > 0 ? [`  ${style.accent("Otherwise than docker compose up")}`] : []),
    ...table(differences.map(({ path, sentence }) => [`    ${path}`, style.quiet(sentence)])),
    `  ${style.accent("Way back")}  ${plan.rollback}`,
    ...plan.blocked.map((line) => `  ${style.bad(`${sign.failed} blocked: ${line}`)}`),
    ...plan.warnings.map((line) => `  ${style.warn(`${sign.warn} ${line}`)}`),
  ];
}

function changeSign(change: PlanView["services"][number]["change"]): string {
  const signs = {
    new: style.good("+"),
    changed: style.warn("~"),
    rebuilt: style.warn("~"),
    same: style.quiet("="),
    dropped: style.bad("-"),
  };
  return signs[change];
}
