import { z } from "zod";
import type { Docker } from "./docker.ts";

const info = z.object({ SystemTime: z.string(), DockerRootDir: z.string() });

/** The clock of an engine's machine, in ms, and the directory that holds its images and volumes. */
export async function systemOf(
  docker: Docker,
  signal: AbortSignal,
): Promise<{ readonly clockMs: number; readonly directory: string }> {
  const { SystemTime, DockerRootDir } = await docker.json({ method: "GET", path: "/info", signal }, info);
  return { clockMs: Date.parse(SystemTime), directory: DockerRootDir };
}
