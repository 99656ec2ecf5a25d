import type { EpochMs } from "../ids.ts";
import { ForgeProblem } from "./problem.ts";

export type ForgeAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: unknown;
  /** What `Retry-After` says; null where it says nothing. */
  readonly retryAfterMs: number | null;
};

/**
 * What is wrong with an answer; null: it is what was asked for. A limit of requests is no refusal: the forge says when it is over, by
 * `Retry-After` or by the time at which its counter begins anew. Sources: docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api,
 * docs.gitlab.com/administration/settings/user_and_ip_rate_limits, 2026-11.
 */
export function problemOf(forge: string, answer: ForgeAnswer, now: EpochMs): ForgeProblem | null {
  const { status, retryAfterMs } = answer;
  if (status >= 200 && status < 300) return null;
  const said = sayingOf(answer.body);
  const message = `${forge} answered ${status}${said === null ? "" : `: ${said}`}`;
  if (isLimit(answer, said))
    return new ForgeProblem("away", message, { status, retryAfterMs: retryAfterMs ?? untilReset(answer, now) });
  if (status >= 500 || status === 408 || status === 425)
    return new ForgeProblem("away", message, { status, retryAfterMs });
  return new ForgeProblem([401, 403, 404, 410].includes(status) ? "refused" : "wrong", message, {
    status,
    retryAfterMs,
  });
}

function isLimit({ status, headers, retryAfterMs }: ForgeAnswer, said: string | null): boolean {
  if (status === 429) return true;
  if (status !== 403) return false;
  return headers["x-ratelimit-remaining"] === "0" || retryAfterMs !== null || /rate limit/i.test(said ?? "");
}

/** GitHub's in seconds of the clock, GitLab's too; a minute where a limit says nothing of its end, as GitHub's page asks for. */
function untilReset({ headers }: ForgeAnswer, now: EpochMs): number {
  const reset = Number(headers["x-ratelimit-reset"] ?? headers["ratelimit-reset"]);
  return Number.isFinite(reset) && reset > 0 ? Math.max(1_000, reset * 1_000 - now) : 60_000;
}

const maxSaidChars = 200;

/** `message` of GitHub, GitLab and Gitea, `error.message` of Bitbucket, with GitHub's first reason. */
function sayingOf(body: unknown): string | null {
  const of = (value: unknown, key: string): unknown =>
    typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  const said = of(body, "message") ?? of(of(body, "error"), "message") ?? of(body, "error");
  if (said === undefined || said === null) return null;
  const text = typeof said === "string" ? said : JSON.stringify(said);
  const [first] = (of(body, "errors") as unknown[] | undefined) ?? [];
  const more = typeof first === "string" ? first : of(first, "message");
  return (typeof more === "string" ? `${text} (${more})` : text).replaceAll(/\s+/g, " ").slice(0, maxSaidChars);
}
