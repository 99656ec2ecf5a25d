import { execFileSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** Builds `dist/` once, because tests start the real programs and their helpers as child processes. */
export default function setup(): void {
  const run = (...command: readonly string[]) => execFileSync(process.execPath, command, { stdio: ["ignore", 2, 2] });
  run("node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json");
  // `tsc` knows by itself what has not changed; whoever runs one test again and again waits for no bundle of the same.
  const newest = Math.max(...["src", "dashboard", "rolldown.config.ts", "package-lock.json"].map(changedAt));
  if (newest > Math.min(changedAt("dist/programs/cli/main.js"), changedAt("dist/dashboard/index.html")))
    execFileSync("npm", ["run", "--silent", "build"], { stdio: "inherit" });
}

/** When the newest file there was changed; never, where there is none. */
function changedAt(path: string): number {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return 0;
  if (!stats.isDirectory()) return stats.mtimeMs;
  return Math.max(...readdirSync(path).map((name) => changedAt(join(path, name))));
}
