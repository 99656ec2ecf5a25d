import { configDefaults, defineConfig } from "vitest/config";
import { LongestFirst } from "./test/setup/order.ts";
import { testsWithoutTheirPart } from "./test/setup/parts.ts";

/** What they test touches nothing but what it is given (test/tidy.test.ts holds it), so none leaves anything for the next. */
const pure = "src/core/**/*.test.ts";

const each = {
  // Generous: what hangs is found all the same, and a busy machine is no failure.
  testTimeout: 240_000,
  hookTimeout: 240_000,
  // Engines, hosts and machines on two shared cores: CI tells a test that fails once from one that fails, and shows both.
  retry: process.env.CI === undefined ? 0 : 1,
};

export default defineConfig({
  test: {
    projects: [
      // One worker for many files loads what they share once: that was half of their processor time.
      { test: { ...each, name: "core", include: [pure, "dashboard/src/**/*.test.ts"], isolate: false } },
      {
        test: {
          ...each,
          name: "parts",
          include: ["src/**/*.test.ts", "test/**/*.test.ts"],
          exclude: [...configDefaults.exclude, pure, ...testsWithoutTheirPart()],
        },
      },
    ],
    // Tests start the compiled program as real child processes: the build runs once before all of them.
    globalSetup: ["test/setup/build.ts"],
    // On two cores: most tests wait for real parts most of the time. A fourth makes all slower, and the whole no shorter.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
  },
});
