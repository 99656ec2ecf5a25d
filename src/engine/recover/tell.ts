import type { ReleaseId } from "../../core/ids.ts";
import type { Notice } from "../../core/judge/rule/notice.ts";
import { releaseView } from "../release/read.ts";
import type { World } from "../world.ts";

/**
 * Sends a notice to those whom the release names; null is everybody. All are tried, then the first failure is thrown: whoever was
 * reached is told again when this is repeated. Errors: NOTIFIER_FAILED.
 */
export async function tellPeople(
  world: Pick<World, "store" | "notifier">,
  { release, names }: { readonly release: ReleaseId; readonly names: readonly string[] | null },
  notice: Notice,
  signal: AbortSignal,
): Promise<void> {
  const { spec } = await releaseView(world.store.db, release, notice.environment);
  const notifiers = Object.entries(spec.notifiers ?? {}).filter(([name]) => names === null || names.includes(name));
  const results = await Promise.allSettled(notifiers.map(([, to]) => world.notifier.send(to, notice, signal)));
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
