import { execFile } from "node:child_process";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";

/** With nothing in it, and nothing on the disk. */
const fileBytes = 512 * 1024 * 1024;
/** As the control plane is started. */
const flags = ["--max-semi-space-size=1", "--initial-old-space-size=40", "--heap-growing-percent=20"];

/** Reads a file, piece by piece. */
const program = (file: string): string => `
  import { createReadStream } from "node:fs";
  import { streamed } from ${JSON.stringify(new URL("../../dist/lib/stream-garbage.js", import.meta.url).href)};
  // Alive, as what a control plane knows is.
  globalThis.alive = Array.from({ length: 400_000 }, (_, index) => ({ index }));
  console.log("it begins");
  for await (const chunk of createReadStream(${JSON.stringify(file)})) streamed(chunk);
`;

it("what streams through brings on no collection of everything, as it does where the collector cannot be called", async () => {
  const directory = await mkdtemp(join(tmpdir(), "slipway-stream-"));
  try {
    const file = join(directory, "image");
    await writeFile(file, "");
    await truncate(file, fileBytes);
    const majors = async (more: readonly string[]): Promise<number> => {
      const args = [...flags, ...more, "--trace-gc", "--input-type=module", "--eval", program(file)];
      const { stdout } = await promisify(execFile)(process.execPath, args);
      return stdout.split("it begins")[1]?.match(/Mark-Compact/g)?.length ?? 0;
    };
    const [told, untold] = [await majors(["--expose-gc"]), await majors([])];
    expect(untold).toBeGreaterThan(4);
    expect(told).toBeLessThan(untold / 2);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
