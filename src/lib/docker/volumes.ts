import { z } from "zod";
import { labelFilter, nullIfAbsent } from "./containers.ts";
import { type Docker, pathOf } from "./docker.ts";
import { list, map, text } from "./shapes.ts";

const volume = z.object({ Name: z.string(), Driver: text, Labels: map(z.string()), Mountpoint: text });
export type Volume = z.output<typeof volume>;

export async function listVolumes(
  docker: Docker,
  labels: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Volume[]> {
  const query = { filters: { label: labelFilter(labels) } };
  const answer = await docker.json(
    { method: "GET", path: "/volumes", query, signal },
    z.object({ Volumes: list(volume) }),
  );
  return answer.Volumes;
}

/** Null when it is not there. */
export function inspectVolume(docker: Docker, name: string, signal: AbortSignal): Promise<Volume | null> {
  return nullIfAbsent(docker.json({ method: "GET", path: pathOf`/volumes/${name}`, signal }, volume));
}

/** The engine gives back the one that is there, with its labels as they were. */
export function createVolume(
  docker: Docker,
  name: string,
  labels: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Volume> {
  return docker.json({ method: "POST", path: "/volumes/create", body: { Name: name, Labels: labels }, signal }, volume);
}

/** With what is in it. Does nothing when it is not there; in use is a refusal (409). */
export async function removeVolume(docker: Docker, name: string, signal: AbortSignal): Promise<void> {
  await nullIfAbsent(docker.send({ method: "DELETE", path: pathOf`/volumes/${name}`, signal }));
}
