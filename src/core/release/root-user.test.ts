import { expect, it } from "vitest";
import { serviceName } from "../ids.ts";
import type { ServiceInput } from "../product/input.ts";
import { resolveEnvironment } from "../product/resolve.ts";
import { isRoot, rootUsers } from "./root-user.ts";

const digest = `sha256:${"a".repeat(64)}` as const;

function told(
  user: string | undefined,
  container: ServiceInput["container"] = {},
  driver: "docker" | "process" = "docker",
) {
  const spec = resolveEnvironment(
    { name: "shop", services: { web: { kind: "web", image: "redis:7", container } }, target: { driver } },
    "production",
  );
  const image = { digest, id: digest, from: "redis", ...(user === undefined ? {} : { user }) };
  return rootUsers(spec, { [serviceName("web")]: { directory: null, image } }).map(({ policy }) => policy);
}

it.each([
  ["", true],
  ["root", true],
  ["0", true],
  ["00", true],
  ["0:0", true],
  ["root:staff", true],
  ["1000", false],
  ["1000:0", false],
  ["rooty", false],
])("%j is root: %j", (user, is) => {
  expect(isRoot(user)).toBe(is);
});

it("tells of root as the policy says, by the image's user or the container's, and of nothing that is not known", () => {
  expect(told("")).toEqual(["warn"]);
  expect(told("root", { rootUser: "refuse" })).toEqual(["refuse"]);
  expect(told("root", { rootUser: "allow" })).toEqual([]);
  expect(told("1000")).toEqual([]);
  expect(told("root", { user: "1000" })).toEqual([]);
  expect(told("1000", { user: "0:0" })).toEqual(["warn"]);
  expect(told(undefined)).toEqual([]);
  expect(told(undefined, { user: "root" })).toEqual(["warn"]);
  expect(told("", {}, "process")).toEqual([]);
});
