import { describe, expect, it } from "vitest";
import { imageLabels, sourceUrl } from "./labels.ts";

describe("labels of an image:", () => {
  it("say what, of which commit, when it was committed, and where from", () => {
    const labels = imageLabels({
      title: "shop/web",
      revision: "3f9c2b1a",
      version: "1.4.0",
      committedAt: Date.UTC(2026, 10, 21, 9, 30, 5),
      remote: "git@github.com:acme/shop.git",
    });
    expect(labels).toEqual({
      "org.opencontainers.image.created": "2026-11-21T09:30:05Z",
      "org.opencontainers.image.revision": "3f9c2b1a",
      "org.opencontainers.image.title": "shop/web",
      "org.opencontainers.image.version": "1.4.0",
      "org.opencontainers.image.source": "https://github.com/acme/shop",
    });
  });

  it("what is not known is left out", () => {
    const labels = imageLabels({
      title: "web",
      revision: "3f",
      version: null,
      committedAt: 0,
      remote: "/srv/git/shop",
    });
    expect(Object.keys(labels)).toHaveLength(3);
  });

  it.each([
    ["https://user:token@git.example.org:8443/acme/shop.git", "https://git.example.org:8443/acme/shop"],
    ["ssh://git@git.example.org:2222/acme/shop.git", "https://git.example.org/acme/shop"],
    ["git.example.org:acme/shop", "https://git.example.org/acme/shop"],
    ["../shop", null],
    ["file:///srv/git/shop", null],
  ])("the remote %s is told as %s", (remote, told) => {
    expect(sourceUrl(remote)).toBe(told);
  });
});
