import { realpathSync } from "node:fs";
import { relative } from "node:path";
import { withContents } from "../../../core/compose/contents.ts";
import { type StackReading, toStack } from "../../../core/compose/stack.ts";
import type { Problem } from "../../../core/product/problems.ts";
import type { StackRequest } from "../../../engine/pipeline/step-container.ts";
import { readCompose } from "./read.ts";

/** Reads a Compose project of a checkout as the containers of one step. Changes nothing; what is wrong is among the problems. */
export function readStack({ directory, checkout, files, profiles, service, variables }: StackRequest): StackReading {
  const root = realpathSync(checkout);
  const at = `${root}${directory.slice(checkout.length)}`;
  const {
    model,
    problems,
    disk,
    variables: all,
  } = readCompose({
    directory: at,
    inside: root,
    // What it is called is nowhere seen: everything has the name of the step.
    name: "step",
    files,
    profiles,
    variables,
  });
  if (model === null) return { stack: null, problems: relativeTo(root, problems) };
  // What is mounted stays a mount: the checkout is on this machine.
  const bare = Object.entries(model.services).map(([name, each]) => [name, { ...each, mounts: [] }] as const);
  const filled = withContents(
    { ...model, services: Object.fromEntries(bare) },
    { root, text: disk.text, directory: () => null, variable: (name) => all[name] },
  );
  const wrong = filled.problems.filter(({ severity }) => severity === "error");
  if (filled.model === null || wrong.length > 0) return { stack: null, problems: relativeTo(root, wrong) };
  const { secrets, configs } = filled.model;
  const { stack, problems: refused } = toStack({ ...model, secrets, configs }, { root, service });
  return { stack, problems: relativeTo(root, refused) };
}

/** The checkout is somewhere else in each run. */
function relativeTo(root: string, problems: readonly Problem[]): readonly Problem[] {
  const short = (text: string) => text.replaceAll(`${root}/`, "");
  return problems.map((each) => ({
    ...each,
    path: each.path.startsWith("/") ? relative(root, each.path) : each.path,
    message: short(each.message),
  }));
}
