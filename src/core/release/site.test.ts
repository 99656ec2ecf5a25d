import { expect, it } from "vitest";
import { isForThePublic } from "./site.ts";

it("a site has its files and those of .well-known, and nothing that is hidden or about it", () => {
  for (const path of ["index.html", "a/b.js", ".well-known/security.txt", "docs/slipway.config.ts", "a.b/c..d"])
    expect(isForThePublic(path), path).toBe(true);
  for (const path of [".env", "a/.env", ".git", ".github/workflows/x.yml", "slipway.config.ts", "slipway.config.json"])
    expect(isForThePublic(path), path).toBe(false);
});
