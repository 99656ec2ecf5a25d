import type { StackBuild, StackService } from "../../../core/compose/stack.ts";
import type { Docker } from "../../../lib/docker/docker.ts";

/** An image for one step, to stay on the engine under its name until the step has ended. */
export type ImageOrder = StackBuild & {
  /** As messages name it. */
  readonly name: string;
  readonly tag: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Top of the checkout: nothing else of the machine is read. */
  readonly checkout: string;
};

/** Builds it there; `onLine` gets what the build says. */
export type ImageMaker = (
  docker: Docker,
  order: ImageOrder,
  onLine: (line: string) => void,
  signal: AbortSignal,
) => Promise<void>;

/** Names of images are small letters. */
export function imageFor(step: string, { name }: Pick<StackService, "name">): string {
  const plain = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "");
  return `slipway-step/${plain === "" ? "service" : plain}:${step.replaceAll(/[^\w.-]/g, "-")}`;
}
