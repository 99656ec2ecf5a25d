import { z } from "zod";
import { reasonOf } from "../../../core/errors/error.ts";
import { problemOf } from "../../../core/forge/answer.ts";
import type { CommitCheck } from "../../../core/forge/check.ts";
import { ForgeProblem } from "../../../core/forge/problem.ts";
import type { Secret } from "../../../core/secret.ts";
import type { ReportSettings } from "../../../core/triggers/settings.ts";
import { type RestAsk, rest, retryAfterMs } from "../../../lib/http/rest.ts";
import type { Clock } from "../../../ports/clock.ts";

const timeoutMs = 20_000;
const maxBytes = 8 * 1024 ** 2;

export type Opened = {
  readonly settings: ReportSettings;
  readonly token: () => Promise<Secret | null>;
  readonly clock: Clock;
};

/** Speaks to one forge: an answer of the shape that was asked for, or a `ForgeProblem`. Secrets are in no message. */
export type Call = <T>(shape: z.ZodType<T>, ask: RestAsk) => Promise<T>;

export function caller(
  { settings, clock }: Pick<Opened, "settings" | "clock">,
  headersOf: (signal: AbortSignal) => Promise<Readonly<Record<string, string>>>,
): Call {
  const { api, forge } = settings;
  return async (shape, ask) => {
    const headers = { ...(await headersOf(ask.signal)), ...ask.headers };
    const answer = await rest({ base: api, timeoutMs, maxBytes }, { ...ask, headers }).catch((error: unknown) => {
      ask.signal.throwIfAborted();
      throw new ForgeProblem("away", `${forge} could not be reached at ${new URL(api).host}: ${reasonOf(error)}`);
    });
    const now = clock.now();
    const problem = problemOf(forge, { ...answer, retryAfterMs: retryAfterMs(answer, now) }, now);
    if (problem !== null) throw problem;
    const read = shape.safeParse(answer.body);
    if (read.success) return read.data;
    // Something between us and it, such as a page that asks for a login.
    throw new ForgeProblem("away", `what answers at ${new URL(api).host} to ${ask.path} is not ${forge}'s API`);
  };
}

/** The token, as it is now. */
export async function tokenOf({ settings, token }: Pick<Opened, "settings" | "token">): Promise<string> {
  const secret = await token();
  if (secret !== null) return secret.reveal().trim();
  const { token: name } = settings;
  throw new ForgeProblem("refused", `the secret ${name} is not set; run: slipway secret set ${name} -e triggers`);
}

export const anything = z.unknown();
export const withId = z.object({ id: z.union([z.number(), z.string()]).transform(String) });

/** What was asked for is not there (any more). */
export function isGone(error: unknown): boolean {
  return error instanceof ForgeProblem && (error.status === 404 || error.status === 410);
}

/** So many pages are read of a list. */
const maxPages = 10;

/** Pages by their number, until one that is not full. */
export async function* numbered<T>(
  pageSize: number,
  page: (number: number) => Promise<readonly T[]>,
): AsyncGenerator<readonly T[]> {
  for (let number = 1; ; number += 1) {
    const some = await page(number);
    yield some;
    if (some.length < pageSize) return;
  }
}

/** All that the first pages have. */
export async function allOf<T>(pages: AsyncIterable<readonly T[]>): Promise<readonly T[]> {
  const all: T[] = [];
  let count = 0;
  for await (const page of pages) {
    all.push(...page);
    count += 1;
    if (count === maxPages) break;
  }
  return all;
}

/** The first of each name: lists have the newest first. */
export function newestOf(checks: readonly CommitCheck[]): readonly CommitCheck[] {
  const seen = new Set<string>();
  return checks.filter(({ name }) => !seen.has(name) && seen.add(name));
}

/** What is answered instead of not there. */
export function orNone<T>(answer: Promise<T>): Promise<T | null> {
  return answer.catch((error: unknown) => {
    if (isGone(error)) return null;
    throw error;
  });
}
