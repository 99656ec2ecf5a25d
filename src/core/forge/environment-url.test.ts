import { expect, it } from "vitest";
import type { ProductInput } from "../product/input.ts";
import { resolveEnvironment } from "../product/resolve.ts";
import { validateProduct } from "../product/validate.ts";
import { environmentUrl } from "./environment-url.ts";

type Edge = NonNullable<NonNullable<ProductInput["environments"]>[string]["edge"]>;

function urlOf(routes: readonly string[], edge: Edge): string | null {
  const { config, problems } = validateProduct({
    name: "shop",
    services: { web: { kind: "web", command: ["x"], routes: [...routes] } },
    environments: { production: { edge } },
  });
  if (config === null) throw new Error(JSON.stringify(problems));
  return environmentUrl(resolveEnvironment(config, "production"));
}

it("an environment is found at its front page, where our edge is what people meet", () => {
  expect(urlOf(["api.example.com/v1", "shop.example.com"], { listen: ":80" })).toBe("http://shop.example.com/");
  expect(urlOf(["shop.example.com/app"], { listen: ":80" })).toBe("http://shop.example.com/app");
  // Something in front of it has another address, which the config does not tell.
  expect(urlOf(["shop.example.com"], { listen: ":8080" })).toBeNull();
  expect(urlOf(["/"], { listen: ":80" })).toBeNull();
});
