import { SlipwayError } from "../../core/errors/error.ts";
import { type DeploymentId, deploymentId, type RunId, runId } from "../../core/ids.ts";
import { readSigned, signText } from "../../lib/sign/signed-text.ts";
import type { World } from "../world.ts";

const purpose = "slipway page v1";

/** What has a page of its own. */
export type Subject = { readonly run: RunId } | { readonly deployment: DeploymentId };

/**
 * The address of the page at which whoever has it sees how a run or a deployment stands, and can do nothing. The same each time, as
 * long as the key of the state is. `base` is where people reach this control plane.
 */
export function pageUrl({ vault }: Pick<World, "vault">, base: string, id: RunId | DeploymentId): string {
  return `${base}/pages/${signText({ n: id }, purpose, (text) => vault.sign(text))}`;
}

/** What the page is about. Changes nothing. Errors: LINK_INVALID. */
export function openPageLink({ vault }: Pick<World, "vault">, link: string): Subject {
  const { n: id = "" } = (readSigned(link, purpose, (text) => vault.sign(text)) ?? {}) as { n?: string };
  if (id.startsWith("run_")) return { run: runId(id) };
  if (id.startsWith("dep_")) return { deployment: deploymentId(id) };
  throw new SlipwayError("LINK_INVALID", {
    message: "this link was not made by this control plane",
    hint: "look at the commit on your forge for the newest one",
  });
}
