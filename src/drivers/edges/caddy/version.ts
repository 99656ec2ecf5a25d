import { SlipwayError } from "../../../core/errors/error.ts";

const oldest = [2, 8] as const;

/**
 * Throws EDGE_TOO_OLD below 2.8: addresses could not be read from files, and Debian stable's 2.6.2 cuts answers short without
 * a sign when a service breaks off.
 */
export function checkVersion(said: string): void {
  const [, major, minor] = /^v?(\d+)\.(\d+)\./.exec(said) ?? [];
  // A build without a version ("unknown") was made by somebody who knows what they run.
  if (major === undefined || minor === undefined) return;
  if (Number(major) > oldest[0] || (Number(major) === oldest[0] && Number(minor) >= oldest[1])) return;
  throw new SlipwayError("EDGE_TOO_OLD", {
    message: `Caddy ${said} is too old; ${oldest.join(".")} or newer is needed`,
    evidence: [["caddy version", said]],
    hint: "install a current Caddy (https://caddyserver.com/docs/install); Debian stable's 2.6.2 is too old",
  });
}
