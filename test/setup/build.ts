import { execFileSync } from "node:child_process";

/** Compiles `src/` to `dist/` once, because tests start the real program and its helpers as child processes. */
export default function setup(): void {
  execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"], {
    stdio: "inherit",
  });
}
