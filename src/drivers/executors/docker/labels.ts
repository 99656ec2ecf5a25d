import { labelFilter, listContainers, removeContainer } from "../../../lib/docker/containers.ts";
import type { Docker } from "../../../lib/docker/docker.ts";
import { DockerError } from "../../../lib/docker/errors.ts";
import { listImages, removeImage } from "../../../lib/docker/images.ts";
import { listNetworks, removeNetwork } from "../../../lib/docker/networks.ts";
import { listVolumes, removeVolume } from "../../../lib/docker/volumes.ts";

const state = "slipway.state";
const key = "slipway.step-key";
const prefix = "slipway.step.";

/** On everything that a step has on an engine: whose it is (several control planes may share one), and of which attempt. */
export function labelsOf(
  owner: string,
  job: { readonly key: string; readonly labels: Readonly<Record<string, string>> },
): Record<string, string> {
  const own = Object.entries(job.labels).map(([name, value]) => [prefix + name, value]);
  return { [state]: owner, [key]: job.key, ...Object.fromEntries(own) };
}

export function selecting(owner: string, labels: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    [state]: owner,
    ...Object.fromEntries(Object.entries(labels).map(([name, value]) => [prefix + name, value])),
  };
}

export function ofAttempt(owner: string, attempt: string): Record<string, string> {
  return { [state]: owner, [key]: attempt };
}

/** The labels of the steps that have something there, each once. */
export async function stepsOn(
  docker: Docker,
  owner: string,
  signal: AbortSignal,
): Promise<readonly Readonly<Record<string, string>>[]> {
  const all = [
    ...(await listContainers(docker, { labels: selecting(owner) }, signal)).map(({ Labels }) => Labels),
    ...(await listNetworks(docker, selecting(owner), signal)).map(({ Labels }) => Labels),
    ...(await listVolumes(docker, selecting(owner), signal)).map(({ Labels }) => Labels),
    ...(await listImages(docker, { label: labelFilter(selecting(owner)) }, signal)).map(({ Labels }) => Labels),
  ];
  const steps = all.map((labels) =>
    Object.fromEntries(
      Object.entries(labels).flatMap(([name, value]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
      ),
    ),
  );
  return [...new Map(steps.map((step) => [JSON.stringify(step), step])).values()];
}

/** Kills and removes everything with these labels: containers, networks, volumes, and images that were made for them. May be repeated. */
export async function clearAway(
  docker: Docker,
  labels: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<void> {
  const containers = await listContainers(docker, { labels }, signal);
  await Promise.all(containers.map(({ Id }) => removeContainer(docker, Id, signal)));
  for (const { Id } of await listNetworks(docker, labels, signal)) await removeNetwork(docker, Id, signal);
  for (const { Name } of await listVolumes(docker, labels, signal)) await removeVolume(docker, Name, signal);
  for (const { RepoTags } of await listImages(docker, { label: labelFilter(labels) }, signal))
    for (const tag of RepoTags) await removeImage(docker, tag, signal).catch(ignoreRefusal);
}

/** Somebody has begun another image with it. */
function ignoreRefusal(error: unknown): void {
  if (!(error instanceof DockerError) || error.code !== "REFUSED") throw error;
}
