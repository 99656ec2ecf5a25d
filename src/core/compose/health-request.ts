import { isUrlPath } from "../product/addresses.ts";
import { portOf } from "./classify.ts";
import type { ComposeService } from "./model.ts";

const ownHosts = "(?:localhost|127\\.0\\.0\\.1|\\[::1\\]|0\\.0\\.0\\.0)";
const request = new RegExp(`(?:https?://)?${ownHosts}(?::(\\d{1,5}))?(/[\\x21-\\x7e]*)?(?=$|[\\s"'|;&)])`);

/**
 * The path that a service's own healthcheck asks itself for (`curl -f http://localhost:3000/up`), so that it can be asked
 * from outside; null when it does something else, or asks another port than requests go to.
 */
export function healthRequest(service: ComposeService): string | null {
  const test = service.health?.disabled === true ? null : (service.health?.test ?? null);
  const words = test === null || !["CMD", "CMD-SHELL"].includes(test[0] ?? "") ? "" : test.slice(1).join(" ");
  if (words.length > maxLetters || !/\b(curl|wget|http|fetch|urlopen|get)\b/i.test(words)) return null;
  const match = request.exec(words);
  if (match === null) return null;
  const port = match[1] === undefined ? 80 : Number(match[1]);
  const path = (match[2] ?? "/").split(/["'?#|;&)]/, 1)[0]!;
  return port === portOf(service) && isUrlPath(path) ? path : null;
}

const maxLetters = 2_000;
