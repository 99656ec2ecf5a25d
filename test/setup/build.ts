import { execFileSync } from "node:child_process";

/** Builds `dist/` once, because tests start the real programs and their helpers as child processes. */
export default function setup(): void {
  execFileSync("npm", ["run", "--silent", "build"], { stdio: "inherit" });
}
