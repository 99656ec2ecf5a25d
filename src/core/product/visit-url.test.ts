import { expect, it } from "vitest";
import type { ProductInput } from "./input.ts";
import { resolveEnvironment } from "./resolve.ts";
import { validateProduct } from "./validate.ts";
import { visitUrl } from "./visit-url.ts";

const tls = { acme: false as const, certificates: [{ cert: "/c.pem", key: "/k.pem", hosts: ["shop.example"] }] };

function urlOf(edge: NonNullable<ProductInput["edge"]>, ...routes: string[]): string {
  const services = { web: { kind: "web" as const, command: ["x"], routes } };
  const { config, problems } = validateProduct({ name: "shop", services, edge, environments: { production: {} } });
  if (config === null) throw new Error(JSON.stringify(problems));
  return visitUrl(resolveEnvironment(config, "production"));
}

it("is where the edge listens", () => {
  expect(urlOf({ listen: ":8080" }, "shop.example")).toBe("http://127.0.0.1:8080");
  expect(urlOf({ listen: "[::]:8080" }, "/")).toBe("http://127.0.0.1:8080");
  expect(urlOf({ listen: "[::1]:8080" }, "/")).toBe("http://[::1]:8080");
  expect(urlOf({ driver: "caddy", server: "ssh://deploy@vm1.example:2222", listen: ":80" }, "/")).toBe(
    "http://vm1.example:80",
  );
});

it("is https where plain HTTP would only be sent there, by a name that has a certificate", () => {
  expect(urlOf({ tls, listen: ":8080" }, "shop.example/api", "shop.example")).toBe("https://shop.example/");
  expect(urlOf({ tls: { ...tls, listen: ":8443" }, listen: ":8080" }, "shop.example/api")).toBe(
    "https://shop.example:8443/api",
  );
  expect(urlOf({ tls, listen: ":8080" }, "/", "other.example")).toBe("http://127.0.0.1:8080");
  expect(urlOf({ tls, listen: ":8080", redirectToHttps: false }, "shop.example")).toBe("http://127.0.0.1:8080");
});
