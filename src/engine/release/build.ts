import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Evidence, SlipwayError } from "../../core/errors/error.ts";
import type { Digest } from "../../core/ids.ts";
import type { ServiceSpec } from "../../core/product/spec.ts";
import { formatDuration } from "../../core/product/units.ts";
import { type CommandResult, runCommand } from "../../lib/run-command.ts";
import type { World } from "../world.ts";
import { BuildLog, type Workspace } from "./build-log.ts";

/** How many of a build's last lines are shown when it fails. */
const shownLines = 12;

/** Writes the commit's files into a fresh workspace; what an interrupted attempt left is removed first. */
export async function checkOut(
  world: World,
  workspace: Workspace,
  what: { readonly repository: string; readonly hash: string; readonly dirty: boolean },
  signal: AbortSignal,
): Promise<void> {
  await rm(workspace.directory, { recursive: true, force: true });
  await checkOutAgain(world, workspace, what, signal);
}

/** The same files once more, without what steps have made there. */
export async function checkOutAgain(
  world: World,
  workspace: Workspace,
  what: { readonly repository: string; readonly hash: string; readonly dirty: boolean },
  signal: AbortSignal,
): Promise<void> {
  await rm(workspace.source, { recursive: true, force: true });
  try {
    await mkdir(workspace.source, { recursive: true, mode: 0o700 });
    await world.source.export(what.repository, what, workspace.source, signal);
  } catch (error) {
    // Half a checkout on a full disk would leave no room to write down that it has failed.
    await rm(workspace.source, { recursive: true, force: true });
    throw error;
  }
}

/** Builds one service where its config says so, packs the result, and keeps it. The same content gives the same digest. */
export async function buildService(
  world: World,
  input: {
    readonly workspace: Workspace;
    readonly product: string;
    readonly service: ServiceSpec;
    readonly commit: string;
  },
  signal: AbortSignal,
): Promise<{ digest: Digest; bytes: number }> {
  const { service, workspace } = input;
  const root = join(workspace.source, input.product, service.path);
  if (service.build !== null) await runBuild(input, service.build, root, signal);
  const made = service.build === null ? root : join(root, service.build.output);
  return world.artifacts.keep(made, service.kind === "static" ? "to-publish" : "to-run");
}

async function runBuild(
  {
    service,
    workspace,
    commit,
  }: { readonly service: ServiceSpec; readonly workspace: Workspace; readonly commit: string },
  build: NonNullable<ServiceSpec["build"]>,
  root: string,
  signal: AbortSignal,
): Promise<void> {
  const last: string[] = [];
  const log = new BuildLog(workspace, service.name);
  const result = await runCommand(build.command, {
    directory: root,
    env: {
      PATH: process.env.PATH ?? "",
      HOME: process.env.HOME ?? workspace.directory,
      LANG: "C.UTF-8",
      CI: "true",
      SLIPWAY_COMMIT: commit,
    },
    timeoutMs: build.timeoutMs,
    signal,
    onLine: (line) => {
      last.push(line);
      if (last.length > shownLines) last.shift();
      log.write(line);
    },
  });
  await log.close();
  if (result.is === "exited" && result.code === 0) return;
  throw new SlipwayError("BUILD_FAILED", {
    message: `the build of ${service.name} ${failureText(result)}`,
    evidence: [["command", build.command.join(" ")], ...last.map((line): Evidence => ["output", line])],
  });
}

function failureText(result: CommandResult): string {
  switch (result.is) {
    case "exited":
      return `ended with exit code ${result.code}`;
    case "killed":
      return `was killed by ${result.by}`;
    case "timed-out":
      return `was stopped after ${formatDuration(result.afterMs)}, its timeout`;
    case "not-started":
      return `could not be started: ${result.why}`;
  }
}
