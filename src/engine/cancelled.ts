/**
 * Why the signal of a step in flight was aborted when its workflow is cancelled. The workflow's own code never sees it: a
 * cancelled workflow ends where it is, and what must still be done is another workflow's work.
 */
export class WorkflowCancelled extends Error {
  override readonly name = "WorkflowCancelled";
  readonly workflowId: string;

  constructor(workflowId: string, reason: string) {
    super(reason);
    this.workflowId = workflowId;
  }
}
