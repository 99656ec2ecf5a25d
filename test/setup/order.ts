import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * On a fresh clone nobody knows how long a file takes, and Vitest begins with the larger ones. But a file of four lines calls a whole
 * conformance suite, or tells the whole quickstart: begun last, it is waited for by workers that have nothing left to do. So what is
 * long by its kind comes first, and the many short ones fill up the end: last those that share a worker.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const pathOf = ({ moduleId }: TestSpecification): string => relative(this.ctx.config.root, moduleId);
    const isKnown = (file: TestSpecification): boolean =>
      this.ctx.cache.getFileTestResults(`${file.project.name}:${pathOf(file)}`) !== undefined;
    if (sorted.some(isKnown)) return sorted;
    return sorted.toSorted((a, b) => rankOf(pathOf(a)) - rankOf(pathOf(b)));
  }
}

function rankOf(path: string): number {
  if (path.startsWith("src/core/")) return 4;
  return stories.test(path) ? 0 : told.test(path) ? 1 : withParts.test(path) ? 2 : 3;
}

/** Whole stories of engines, hosts and machines: two to six minutes each. */
const stories =
  /^test\/docker\/|^src\/engine\/server\/bootstrap\.|^src\/drivers\/(?:builders\/docker\/docker-builder|targets\/docker\/trouble)\./;

/** Files that only call what is told elsewhere. */
const told =
  /\/(?:conformance[\w-]*|contract|quickstart|caddy\/tls)\.test\.ts$|^src\/drivers\/targets\/docker\/(?:local|newest|ssh|tcp)\.test\.ts$/;
/** Files that wait for real parts: engines, hosts, machines, processes. */
const withParts =
  /^(?:test|src\/(?:testing|drivers|engine\/(?:server|sqlite)|lib\/(?:docker|ssh|supervisor)|cli\/commands\/server))\b/;
