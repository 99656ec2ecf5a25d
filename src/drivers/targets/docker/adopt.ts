import { SlipwayError } from "../../../core/errors/error.ts";
import { inspectContainer, listContainers, startContainer } from "../../../lib/docker/containers.ts";
import type { RevisionSpec, RevisionStatus } from "../../../ports/target.ts";
import { containerOf, identityOfPlace } from "./container-config.ts";
import type { Host } from "./host.ts";
import { revisionsOf } from "./status.ts";

/**
 * An accessory that docker compose has made is used as it is: started where it is down, and never changed, not even by a network; who
 * needs it joins its own. Null where there is none. Errors: START_FAILED when it could not be made here.
 */
export async function adoptedAccessory(
  spec: RevisionSpec,
  hosts: readonly Host[],
  signal: AbortSignal,
): Promise<RevisionStatus | null> {
  const { composed } = containerOf(spec);
  if (spec.mode !== "accessory" || composed === undefined) return null;
  const { project, service, notMade } = composed;
  for (const host of hosts) {
    const found = await host.do(() => findMade(host, { project, service }, signal));
    if (found === null) continue;
    const identity = identityOfPlace(spec, { index: 0, published: null });
    const seen = { identity, host: null, container: found, exit: null, usage: null, tunnelled: false };
    const [status] = revisionsOf([seen]);
    if (status === undefined) throw new Error("one container is one revision");
    return status;
  }
  if (notMade.length === 0) return null;
  throw new SlipwayError("START_FAILED", {
    message: `${service} of the Compose project ${project} is not there, and can only be made by docker compose`,
    evidence: notMade.map((key) => ["because of", key] as const),
    hint: `start it once: docker compose up -d --no-deps ${service}`,
  });
}

async function findMade(
  host: Host,
  { project, service }: { readonly project: string; readonly service: string },
  signal: AbortSignal,
) {
  const labels = { "com.docker.compose.project": project, "com.docker.compose.service": service };
  const listed = (await listContainers(host.docker, { labels }, signal)).filter(
    ({ Labels }) => Labels["com.docker.compose.oneoff"] !== "True",
  );
  const first = listed.find(({ State }) => State === "running") ?? listed[0];
  if (first === undefined) return null;
  if (first.State !== "running" && first.State !== "restarting" && first.State !== "paused")
    await startContainer(host.docker, first.Id, signal);
  return inspectContainer(host.docker, first.Id, signal);
}
