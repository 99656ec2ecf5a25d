import { SlipwayError } from "../../../core/errors/error.ts";

/** Where a repository is, in the words of its registry's API. */
export type Place = { readonly host: string; readonly url: string; readonly path: string };

/** Of the distribution specification, with a bound. */
const pathPattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const hostPattern = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/;
const maxPathChars = 255;
const loopback = /^(?:localhost|127(?:\.\d+){3}|\[::1\])(?::\d+)?$/;

/**
 * `ghcr.io/acme/web` → its registry. Without a host it is Docker Hub, whose API is on another host than its name says and which
 * puts single names under `library/`. Plain HTTP is only for hosts in `plainHosts`; null is this machine itself, as with engines.
 */
export function placeOf(repository: string, plainHosts: ReadonlySet<string> | null): Place {
  const slash = repository.indexOf("/");
  const first = slash === -1 ? "" : repository.slice(0, slash);
  const hasHost = first.includes(".") || first.includes(":") || first === "localhost";
  const host = hasHost ? first : "docker.io";
  const rest = hasHost ? repository.slice(slash + 1) : repository;
  const isHub = host === "docker.io" || host === "index.docker.io";
  const path = isHub && !rest.includes("/") ? `library/${rest}` : rest;
  if (!hostPattern.test(host) || !pathPattern.test(path) || path.length > maxPathChars) {
    throw new SlipwayError("CONFIG_INVALID", {
      message: `${JSON.stringify(repository)} is no repository`,
      hint: "write it as host/name, without a tag: ghcr.io/acme/web",
    });
  }
  const isPlain = plainHosts === null ? loopback.test(host) : plainHosts.has(host);
  const apiHost = isHub ? "registry-1.docker.io" : host;
  return { host: isHub ? "docker.io" : host, url: `${isPlain ? "http" : "https"}://${apiHost}`, path };
}
