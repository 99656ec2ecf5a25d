import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { ServerResponse } from "node:http";
import { SlipwayError } from "../core/errors/error.ts";
import type { EpochMs } from "../core/ids.ts";
import type { Clock } from "../ports/clock.ts";

/** How long a link may be opened, once. */
export const linkMs = 5 * 60_000;
/** A session is over after so long, and sooner when nobody has used it for so long. */
export const sessionMs = 12 * 60 * 60_000;
export const idleMs = 2 * 60 * 60_000;
/** Of each kind; one more puts an end to the oldest. */
export const maxLinks = 16;
export const maxSessions = 32;

/** Somebody who looks at the dashboard in a browser, and speaks as that person and as nobody else. */
export type BrowserSession = { readonly person: string; readonly until: EpochMs };

/** What a browser shows of itself: its cookie, and what its page sends beside it. */
export type Halves = { readonly cookie: string; readonly page: string };

type Link = { readonly digest: Buffer; readonly person: string; readonly until: EpochMs };
type Kept = BrowserSession & {
  readonly digest: Buffer;
  usedAt: EpochMs;
  /** Answers that go on, such as streams: they end with it. */
  readonly open: Set<ServerResponse>;
};

/**
 * Sessions of browsers, begun by links that are good for one use. In memory only: the address of a control plane is another after each
 * start, and with it every session of the one before is over.
 *
 * A session has two halves, and neither is enough. A cookie is sent to every port of a machine, so to every service that runs there; what
 * a page has stored is its own port's, but could be read by a script that should not be there. The cookie is out of the script's reach.
 */
export class BrowserSessions {
  readonly #clock: Pick<Clock, "now">;
  #links: Link[] = [];
  #sessions: Kept[] = [];

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /** A code that opens one session of that person, once. */
  invite(person: string): { readonly code: string; readonly until: EpochMs } {
    const code = secret();
    const until = this.#clock.now() + linkMs;
    this.#links = [...this.#links, { digest: digestOf(code), person, until }].slice(-maxLinks);
    return { code, until };
  }

  /** Errors: LINK_INVALID. */
  open(code: string): Halves & { readonly session: BrowserSession } {
    this.#forget();
    const digest = digestOf(code);
    const link = this.#links.find((each) => timingSafeEqual(each.digest, digest));
    if (link === undefined)
      throw new SlipwayError("LINK_INVALID", {
        message: "this link to the dashboard was not made by this control plane, was used already, or is over",
        hint: "make another: slipway dashboard",
      });
    this.#links = this.#links.filter((each) => each !== link);
    const now = this.#clock.now();
    const halves = { cookie: secret(), page: secret() };
    const session: Kept = {
      person: link.person,
      until: now + sessionMs,
      digest: digestOf(halves.cookie, halves.page),
      usedAt: now,
      open: new Set(),
    };
    for (const over of this.#sessions.slice(0, Math.max(0, this.#sessions.length + 1 - maxSessions))) this.end(over);
    this.#sessions.push(session);
    return { ...halves, session };
  }

  /** The session of these two halves; null when there is none, or it is over. To ask is to use it. */
  of({ cookie, page }: Halves): BrowserSession | null {
    this.#forget();
    const digest = digestOf(cookie, page);
    const found = this.#sessions.find((each) => timingSafeEqual(each.digest, digest)) ?? null;
    if (found !== null) found.usedAt = this.#clock.now();
    return found;
  }

  /** An answer that goes on is cut when its session ends. */
  hold(session: BrowserSession, response: ServerResponse): void {
    const kept = this.#sessions.find((each) => each === session);
    if (kept === undefined) return;
    kept.open.add(response);
    const over = setTimeout(() => response.destroy(), Math.max(0, kept.until - this.#clock.now())).unref();
    response.once("close", () => {
      clearTimeout(over);
      kept.open.delete(response);
    });
  }

  end(session: BrowserSession): void {
    const kept = this.#sessions.find((each) => each === session);
    this.#sessions = this.#sessions.filter((each) => each !== kept);
    for (const response of kept?.open ?? []) response.destroy();
  }

  /** Every session and every link. Answers how many sessions there were. */
  endAll(): number {
    this.#forget();
    const all = this.#sessions;
    this.#links = [];
    for (const session of all) this.end(session);
    return all.length;
  }

  #forget(): void {
    const now = this.#clock.now();
    this.#links = this.#links.filter(({ until }) => now < until);
    for (const session of this.#sessions) if (now >= session.until || now >= session.usedAt + idleMs) this.end(session);
  }
}

const secret = (): string => randomBytes(32).toString("base64url");

/** Kept instead of what was given out. The parts have one length each, so that no other two make the same text. */
function digestOf(...parts: readonly string[]): Buffer {
  return createHash("sha256").update(parts.join(".")).digest();
}
