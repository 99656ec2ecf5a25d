import { lstatSync, realpathSync } from "node:fs";
import { lstat, mkdir } from "node:fs/promises";
import { dirname, relative } from "node:path";
import type { StackService } from "../../core/compose/stack.ts";
import { reasonOf } from "../../core/errors/error.ts";
import type { JobContainer, StepJob } from "../../ports/executor.ts";

type Services = Pick<JobContainer, "runs" | "beside">;

/**
 * Why a job cannot run in its checkout; null when it can. What was made there before, or the repository itself, may lead out of it, and
 * nothing else of the machine is worked in, mounted or built. A directory that is mounted is made where it is not there.
 */
export async function whyNotIn(checkout: string, { directory, container }: Pick<StepJob, "directory" | "container">) {
  const outside = leadsOut(checkout, directory);
  if (outside !== null) return `${relative(checkout, directory) || "."} ${outside}`;
  for (const path of container === null ? [] : pathsOf(container)) {
    const why = leadsOut(checkout, await nearestThere(path)) ?? (await madeIfAbsent(path));
    if (why !== null) return `${relative(checkout, path)} ${why}`;
  }
  return null;
}

/** Null when the path is there and leads nowhere else than into the directory. In this thread: every step waits for it. */
export function leadsOut(top: string, path: string): string | null {
  if (lookedUp(() => lstatSync(path)) === null) return "is not there";
  const real = lookedUp(() => realpathSync.native(path));
  if (real === null) return "is a link to nothing";
  const inside = relative(realpathSync.native(top), real);
  return inside === "" || !(inside === ".." || inside.startsWith("../")) ? null : "leads out of the workspace";
}

/** What its services mount of the checkout, and build of it. */
export function pathsOf({ runs, beside }: Services): readonly string[] {
  const services = runs.is === "service" ? [...beside, runs.service] : beside;
  return services.flatMap(({ mounts, build }) => [
    ...mounts.flatMap(({ is, source }) => (is === "bind" && source !== null ? [source] : [])),
    ...(build === null ? [] : [build.context]),
  ]);
}

/** The same services with those paths as they are elsewhere. */
export function withPaths<Container extends Services>(container: Container, to: (path: string) => string): Container {
  const moved = ({ mounts, build, ...service }: StackService): StackService => ({
    ...service,
    mounts: mounts.map((mount) =>
      mount.is === "bind" && mount.source !== null ? { ...mount, source: to(mount.source) } : mount,
    ),
    build: build === null ? null : { ...build, context: to(build.context) },
  });
  const { runs, beside } = container;
  return {
    ...container,
    beside: beside.map(moved),
    runs: runs.is === "service" ? { ...runs, service: moved(runs.service) } : runs,
  };
}

/** Null where the system finds nothing. */
function lookedUp<T>(look: () => T): T | null {
  try {
    return look();
  } catch {
    return null;
  }
}

/** The path, or what of it is there: a directory must not be made behind a link that leads out. */
async function nearestThere(path: string): Promise<string> {
  const there = await lstat(path).catch(() => null);
  return there !== null || path === "/" ? path : nearestThere(dirname(path));
}

/** As docker compose makes a directory that is mounted. */
async function madeIfAbsent(path: string): Promise<string | null> {
  if ((await lstat(path).catch(() => null)) !== null) return null;
  return mkdir(path, { recursive: true }).then(
    () => null,
    (error: unknown) => `cannot be made: ${reasonOf(error)}`,
  );
}
