import type { Supervisor } from "../lib/supervisor/client.ts";

/** How long requests in flight get when the edge itself is stopped. */
export const edgeGraceMs = 5_000;

type Place = { readonly supervisor: Supervisor; readonly directory: string };

/** An edge is kept running by the same supervisor as the revisions, so it comes back also while the control plane is away. */
export async function keepRunning(
  { supervisor, directory }: Place,
  key: string,
  command: readonly string[],
): Promise<void> {
  await supervisor.ensure(
    {
      key,
      labels: { role: "edge" },
      notes: {},
      mode: "service",
      command,
      cwd: directory,
      env: { PATH: process.env.PATH ?? "", LANG: "C.UTF-8" },
      idVariable: null,
      port: false,
      stopGraceMs: edgeGraceMs,
      memoryBytes: null,
      cpus: null,
    },
    1,
  );
}
