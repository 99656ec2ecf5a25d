import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { compiledFile } from "../../../lib/entry.ts";
import { openSupervisor } from "../../../lib/supervisor/client.ts";
import type { RevisionSpec } from "../../../ports/target.ts";
import { type TargetHarness, targetConformance } from "../../../testing/conformance/target.ts";
import { processTarget } from "./index.ts";

targetConformance("process", async (): Promise<TargetHarness> => {
  const directory = await mkdtemp(join(tmpdir(), "slipway-process-"));
  const supervisor = await openSupervisor({ directory: join(directory, "supervisor") });
  return {
    open: async (product) => processTarget({ directory, product, supervisor }),
    ensureAndDie: async (product, spec, instances) => killedControlPlane(directory, { product, spec, instances }),
    close: async () => {
      await supervisor.shutdown();
      await supervisor.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
});

/** A process of its own that deploys, says so, and is killed. */
async function killedControlPlane(
  directory: string,
  { product, spec, instances }: { product: string; spec: RevisionSpec; instances: number },
): Promise<void> {
  const moduleOf = (relative: string) => pathToFileURL(compiledFile(import.meta.url, relative)).href;
  const script = `
    import { openSupervisor } from ${JSON.stringify(moduleOf("../../../lib/supervisor/client.ts"))};
    import { processTarget } from ${JSON.stringify(moduleOf("./index.ts"))};
    const supervisor = await openSupervisor({ directory: ${JSON.stringify(join(directory, "supervisor"))} });
    const target = processTarget({ directory: ${JSON.stringify(directory)}, product: ${JSON.stringify(product)}, supervisor });
    await target.ensure(${JSON.stringify(spec)}, ${instances}, new AbortController().signal);
    process.stdout.write("done");
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "exit");
}
