import type { PlanView } from "../../../src/api/contract.ts";

/** What will be done, in order, and how it would be taken back. */
export function PlanSteps({ plan, when }: { readonly plan: PlanView; readonly when: string }) {
  return (
    <div className="plan">
      <p className="quiet small">
        {when} ({plan.strategy}):
      </p>
      <ol>
        {plan.steps.map((step) => (
          <li key={step}>{step}</li>
        ))}
      </ol>
      {plan.warnings.map((warning) => (
        <p key={warning} className="note warn">
          {warning}
        </p>
      ))}
      {plan.blocked.map((why) => (
        <p key={why} className="note bad">
          {why}
        </p>
      ))}
      <p className="quiet small">Taken back: {plan.rollback}</p>
    </div>
  );
}
