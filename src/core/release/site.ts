/** Names of configs of ours, which are about the site and no part of it. */
const config = /^slipway\.config\.[a-z]+$/;

/**
 * Whether a file of a `static` service, by its path in the service's directory, is one for the public. Hidden ones are not
 * (`.env`, `.github/`), but for `.well-known/`, whose place is fixed by RFC 8615; nor is the config beside them.
 */
export function isForThePublic(path: string): boolean {
  return !config.test(path) && path.split("/").every((part) => !part.startsWith(".") || part === ".well-known");
}
