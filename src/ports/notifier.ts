import type { Notice } from "../core/judge/rule/notice.ts";
import type { NotifierSpec } from "../core/product/spec.ts";

/** Tells people that a rule fired, or has ended to. */
export interface Notifier {
  /** Sends one message. May be repeated: the receiver may then have it twice. Errors: NOTIFIER_FAILED. */
  send(to: NotifierSpec, notice: Notice, signal: AbortSignal): Promise<void>;
}
