import { spawnSync } from "node:child_process";
import { existsSync, statfsSync } from "node:fs";
import type { CheckView } from "../../api/contract.ts";
import { isSlipwayError, reasonOf } from "../../core/errors/error.ts";
import { findConfig } from "../config/find.ts";
import { inspectConfig } from "../config/load.ts";
import { whereIsState } from "../connect.ts";
import { output } from "../output.ts";
import { type GlobalOptions, withRunning } from "../session.ts";
import { sign, style, table } from "../terminal/style.ts";
import { bytes } from "../terminal/words.ts";

/** Less than this on the disk of the state directory is worth a word. */
const lowDiskBytes = 1_000_000_000;

/** Looks at everything a release depends on and says in words what is wrong. Exit 1 when something is. */
export async function doctor(options: GlobalOptions): Promise<number> {
  const out = output(options);
  const found: CheckView[] = [
    await look("node", nodeCheck),
    await look("git", gitCheck),
    await look("config", configCheck),
    await look("disk", () => diskCheck(options)),
  ];
  found.push(...(await controlPlaneChecks(options)));
  out.json({ checks: found });
  for (const line of table(
    found.map((check) => [check.ok ? style.good(sign.done) : style.bad(sign.failed), check.name, check.says]),
  ))
    out.line(line);
  for (const check of found.filter((each) => !each.ok && each.hint !== null))
    out.line(`  ${style.quiet("hint")}  ${check.name}: ${check.hint}`);
  return found.every((check) => check.ok) ? 0 : 1;
}

/** What the control plane sees of all it depends on. None is started for it: somebody may have stopped it, or it cannot start. */
async function controlPlaneChecks(options: GlobalOptions): Promise<CheckView[]> {
  try {
    return await withRunning(options, async ({ client }) => [
      ...(await client.get<{ checks: CheckView[] }>("/v1/checks")).checks,
      { name: "control plane", ok: true, says: "answers", hint: null },
    ]);
  } catch (error) {
    if (!isSlipwayError(error) || error.code !== "CONTROL_PLANE_DOWN")
      return [await look("control plane", () => Promise.reject(error))];
    const { root, product } = whereIsState(options.stateDir);
    if (!existsSync(product))
      return [
        { name: "control plane", ok: true, says: "was never started: nothing has been deployed from here", hint: null },
      ];
    return [
      await look("store", async () => {
        const { inspectStore } = await import("../wire.ts");
        return (await inspectStore(root)) ? "the state file is whole" : "there is no state yet";
      }),
      { name: "control plane", ok: false, says: error.message, hint: error.hint },
    ];
  }
}

async function look(name: string, check: () => Promise<string> | string): Promise<CheckView> {
  try {
    return { name, ok: true, says: await check(), hint: null };
  } catch (error) {
    return { name, ok: false, says: reasonOf(error), hint: isSlipwayError(error) ? error.hint : null };
  }
}

function nodeCheck(): string {
  return `${process.version} on ${process.platform} ${process.arch}`;
}

function gitCheck(): string {
  const result = spawnSync("git", ["--version"], { encoding: "utf8" });
  if (result.status !== 0) throw new Error("git is not on PATH; install it");
  return result.stdout.trim();
}

async function configCheck(): Promise<string> {
  const { file, config, problems } = await inspectConfig(findConfig(process.cwd()));
  if (config === null) throw new Error(`${file} has ${problems.length} problems; run: slipway validate`);
  return `${file} is valid`;
}

function diskCheck(options: GlobalOptions): string {
  const { root } = whereIsState(options.stateDir);
  const { bavail, bsize } = statfsSync(root.replace(/\/[^/]*$/, "") || "/");
  const free = bavail * bsize;
  if (free < lowDiskBytes) throw new Error(`only ${bytes(free)} are free for ${root}; free some space`);
  return `${bytes(free)} are free for ${root}`;
}
