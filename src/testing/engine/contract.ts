import { describe } from "vitest";
import { crashContract } from "./contract/crashes.ts";
import { endContract } from "./contract/ends.ts";
import { lockContract } from "./contract/locks.ts";
import { programContract } from "./contract/random-programs.ts";
import { signalContract } from "./contract/signals.ts";
import { stepContract } from "./contract/steps.ts";
import { timerContract } from "./contract/timers.ts";
import { versionContract } from "./contract/versions.ts";
import type { EngineHarness } from "./harness.ts";

/** What every engine behind the verbs must hold to. Each group stands in its own file and makes its own places. */
export function engineContract(name: string, harness: EngineHarness): void {
  describe(`engine contract: ${name}`, () => {
    describe("steps and transactions", () => stepContract(harness));
    describe("signals", () => signalContract(harness));
    describe("timers and schedules", () => timerContract(harness));
    describe("locks and takeover", () => lockContract(harness));
    describe("cancel, close and ends", () => endContract(harness));
    describe("versions", () => versionContract(harness));
    describe("crashes", () => crashContract(harness));
    describe("random programs", () => programContract(harness));
  });
}
