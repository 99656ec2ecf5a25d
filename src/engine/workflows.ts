import { accessoryKind, accessoryWorkflow } from "./accessories/workflow.ts";
import { promoteOnwards } from "./commands/promote-onwards.ts";
import { deployKind, deployWorkflow } from "./deploy/workflow.ts";
import { stepWorkflow } from "./pipeline/step-workflow.ts";
import { stepKind } from "./pipeline/turn.ts";
import { prepareKind, prepareWorkflow } from "./previews/prepare.ts";
import { clearKind, clearWorkflow, removeKind, removeWorkflow } from "./previews/remove.ts";
import { restKind, restWorkflow, wakeKind, wakeWorkflow } from "./previews/rest.ts";
import { healKind, healWorkflow } from "./recover/workflow.ts";
import { runKind, runWorkflow } from "./release/run-workflow.ts";
import { scaleKind } from "./scale/job.ts";
import { scaleWorkflow } from "./scale/workflow.ts";
import { scheduleWorkflow } from "./triggers/schedule.ts";
import { scheduleKind } from "./triggers/settings.ts";
import { triggerKind, triggerWorkflow } from "./triggers/workflow.ts";
import type { World } from "./world.ts";

/** Names the code of every kind of work there is. Before the engine is opened. */
export function registerWorkflows(world: World): void {
  const { engine } = world;
  engine.register(
    deployKind,
    deployWorkflow(world, (course) => promoteOnwards(world, course)),
  );
  engine.register(runKind, runWorkflow(world));
  engine.register(stepKind, stepWorkflow(world));
  engine.register(triggerKind, triggerWorkflow(world));
  engine.register(scheduleKind, scheduleWorkflow(world));
  engine.register(prepareKind, prepareWorkflow(world));
  engine.register(restKind, restWorkflow(world));
  engine.register(wakeKind, wakeWorkflow(world));
  engine.register(removeKind, removeWorkflow(world));
  engine.register(clearKind, clearWorkflow(world));
  engine.register(accessoryKind, accessoryWorkflow(world));
  engine.register(scaleKind, scaleWorkflow(world));
  engine.register(healKind, healWorkflow(world));
}
