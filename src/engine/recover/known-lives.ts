import type { InstanceId } from "../../core/ids.ts";
import type { Life } from "./life.ts";

/** `bornMs`: on the clock that nobody sets, and rather too late than too early. */
type Known = {
  readonly startedAt: number;
  readonly bornMs: number;
  readonly wasWell: boolean;
  readonly seenMs: number;
};

/** What has not been seen for so long is not coming back: what a deployment puts aside for a while is. */
const forgottenAfterMs = 3_600_000;

/**
 * What is known of the newest life of each instance: its age, and whether it has been healthy once. A target says by the wall clock when a
 * life began; from when it is first seen, its age is counted on the steady one, so that no clock that is set makes it young again. A
 * life that is not looked at for a while, because something else has its traffic, stays known.
 */
export class KnownLives {
  readonly #known = new Map<InstanceId, Known>();

  /** Notes what a look has seen of a life. `wallMs` and `nowMs`: what the two clocks show at the look. */
  see(
    { instance, startedAt }: Pick<Life, "instance" | "startedAt">,
    { isWell, wallMs, nowMs }: { readonly isWell: boolean; readonly wallMs: number; readonly nowMs: number },
  ): void {
    const before = this.#known.get(instance);
    const known = before?.startedAt === startedAt ? before : null;
    this.#known.set(instance, {
      startedAt,
      bornMs: known?.bornMs ?? nowMs - Math.max(0, wallMs - startedAt),
      wasWell: isWell || known?.wasWell === true,
      seenMs: nowMs,
    });
  }

  /** How much of the time for its start a life still has; none once it has been healthy, all of it when it was never seen. */
  startLeftMs(
    { instance, startedAt }: Pick<Life, "instance" | "startedAt">,
    { deadlineMs, nowMs }: { readonly deadlineMs: number; readonly nowMs: number },
  ): number {
    const known = this.#known.get(instance);
    if (known === undefined || known.startedAt !== startedAt) return deadlineMs;
    return known.wasWell ? 0 : Math.max(0, deadlineMs - (nowMs - known.bornMs));
  }

  forget(nowMs: number): void {
    for (const [instance, { seenMs }] of this.#known)
      if (nowMs - seenMs > forgottenAfterMs) this.#known.delete(instance);
  }
}
