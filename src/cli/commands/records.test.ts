import { expect, it } from "vitest";
import { environmentName } from "../../core/ids.ts";
import { recordRow } from "./records.ts";

it("how a release has fared is counts, and what nobody knows is not a zero", () => {
  const record = {
    environment: environmentName("production"),
    deployments: 2,
    rollbacks: 1,
    requests: 1_200,
    errors: 38,
  };
  const text = (more: Partial<Parameters<typeof recordRow>[1]> = {}) =>
    recordRow({ number: 4 }, { ...record, ...more })
      .filter((cell) => cell !== "")
      .join("  ")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: colours or none
      .replaceAll(/\u001b\[\d+m/g, "");
  expect(text()).toBe("r4  in production  2 deployments  taken back once  1200 requests  38 failed (3.17 %)");
  expect(text({ requests: 0, errors: 0, rollbacks: 0 })).toBe("r4  in production  2 deployments  0 requests  0 failed");
  expect(text({ requests: null, errors: null, rollbacks: 3 })).toBe(
    "r4  in production  2 deployments  taken back 3 times  no requests are known",
  );
});
