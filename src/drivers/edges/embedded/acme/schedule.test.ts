import { expect, test } from "vitest";
import { pauseMs, renewAtMs } from "./schedule.ts";

const dayMs = 86_400_000;

test("a certificate is renewed with a third of its life left, or a little earlier", () => {
  const life = { fromMs: 0, untilMs: 90 * dayMs };
  expect(renewAtMs(life, 0)).toBe(60 * dayMs);
  expect(renewAtMs(life, 1)).toBe(57 * dayMs);
  // Six days are as good as ninety.
  expect(renewAtMs({ fromMs: 0, untilMs: 6 * dayMs }, 0)).toBe(4 * dayMs);
});

test("a CA that is away is asked again soon, one that said no is not, and each at last not often", () => {
  const away = (failures: number): number => pauseMs({ kind: "away", failures, retryAfterMs: 0 }, 0);
  const refused = (failures: number): number => pauseMs({ kind: "refused", failures, retryAfterMs: 0 }, 0);
  expect([away(1), away(2), away(3), away(1000)]).toEqual([5000, 10_000, 20_000, 600_000]);
  expect([refused(1), refused(2), refused(1000)]).toEqual([600_000, 1_200_000, 21_600_000]);
  // Let's Encrypt takes five failed proofs an hour.
  expect(refused(1) + refused(2) + refused(3)).toBeGreaterThan(3_600_000);
});

test("what the CA asks for is kept, and nobody comes all at once", () => {
  expect(pauseMs({ kind: "refused", failures: 1, retryAfterMs: 7_200_000 }, 0)).toBe(7_200_000);
  expect(pauseMs({ kind: "away", failures: 1, retryAfterMs: 0 }, 1)).toBe(6000);
});
