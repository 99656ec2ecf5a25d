import { configDefaults, defineConfig } from "vitest/config";
import { testsWithoutTheirPart } from "./test/setup/parts.ts";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    exclude: [...configDefaults.exclude, ...testsWithoutTheirPart()],
    // Tests start the compiled program as real child processes: the build runs once before all of them.
    globalSetup: ["test/setup/build.ts"],
    // Generous: what hangs is found all the same, and a busy machine is no failure.
    testTimeout: 240_000,
    hookTimeout: 240_000,
    // On two cores: most tests wait for real parts most of the time. A fourth makes all slower, and the whole no shorter.
    maxWorkers: 3,
    // Engines, hosts and machines on two shared cores: CI tells a test that fails once from one that fails, and shows both.
    retry: process.env.CI === undefined ? 0 : 1,
  },
});
