import { type Evidence, reasonOf } from "../../core/errors/error.ts";
import type { InstanceId, RevisionId } from "../../core/ids.ts";
import type { AccessoryHealthSpec } from "../../core/product/spec.ts";
import { formatDuration } from "../../core/product/units.ts";
import { linkedSignal } from "../../lib/linked-signal.ts";
import { whyNotListening } from "../../lib/listens.ts";
import type { InstanceStatus } from "../../ports/target.ts";
import { exitText } from "../health/evidence.ts";
import type { World } from "../world.ts";

/** What crashes at its start does so within this. */
const lifeMs = 2_000;
/** Of what a command says, its end. */
const saidChars = 300;

type Looking = Pick<World, "targets" | "clock">;

/** How it is not: it exits again and again, its image's own check has given it up, or it did not become well in time. */
export type Unwell = { readonly is: "looping" | "unhealthy" | "late"; readonly evidence: readonly Evidence[] };

/**
 * Waits until an accessory is well: it has lived for a while, takes connections at its port, its image's own HEALTHCHECK, where
 * it has one, says so, and so does its command. Null when it is; else what was seen last. `onSeen` is told why it is not, at each look.
 */
export async function untilWell(
  world: Looking,
  revision: RevisionId,
  health: AccessoryHealthSpec,
  signal: AbortSignal,
  onSeen: (seen: Evidence) => void = () => {},
): Promise<Unwell | null> {
  const until = world.clock.monotonicMs() + health.deadlineMs;
  let last: Evidence = ["seen", "it is not there"];
  for (;;) {
    const [instance] = (await world.targets.observe({ revision })).flatMap(({ instances }) => instances);
    const seen = instance === undefined ? last : await whyNotWell(world, instance, health, signal);
    if (seen === null) return null;
    last = seen;
    onSeen(seen);
    if (instance?.state === "crash-looping") return { is: "looping", evidence: [last] };
    if (instance?.health === "unhealthy") return { is: "unhealthy", evidence: [last] };
    const [how, what] = last;
    if (world.clock.monotonicMs() >= until)
      return { is: "late", evidence: [[how, `${what}, for ${formatDuration(health.deadlineMs)}`]] };
    await world.clock.sleep(health.intervalMs, signal);
  }
}

async function whyNotWell(
  world: Looking,
  instance: InstanceStatus,
  { command, timeoutMs }: AccessoryHealthSpec,
  signal: AbortSignal,
): Promise<Evidence | null> {
  const { id, state, health, address, startedAt, lastExit, restarts } = instance;
  const exit = lastExit === null ? "" : `, ${exitText(lastExit)}, ${restarts} restarts`;
  if (state !== "running") return ["seen", `it is ${state}${exit}`];
  if (health !== undefined && health !== "healthy") return ["last probe", `its image's own HEALTHCHECK -> ${health}`];
  if (startedAt === null || world.clock.now() - startedAt < lifeMs) return ["seen", `it has only just started${exit}`];
  const why = address === null ? null : await whyNotListening(await world.targets.reach(id, signal), timeoutMs, signal);
  if (why !== null) return ["last probe", `connection to ${address} -> ${why}`];
  const failed = command === null ? null : await whyFailed(world, { id, command, timeoutMs }, signal);
  return failed === null ? null : ["last probe", `${command?.join(" ")} -> ${failed}`];
}

/** Runs the command in the container to its end. */
async function whyFailed(
  { targets }: Pick<World, "targets">,
  {
    id,
    command,
    timeoutMs,
  }: { readonly id: InstanceId; readonly command: readonly string[]; readonly timeoutMs: number },
  signal: AbortSignal,
): Promise<string | null> {
  const { signal: limit, release } = linkedSignal([signal], timeoutMs);
  let said = "";
  try {
    const session = await targets.session({ place: { instance: id }, command, terminal: null }, null, limit);
    session.exit.catch(() => {}); // told by its output, or below
    session.end();
    for await (const { data } of session.output) said = `${said}${data.toString("utf8")}`.slice(-saidChars);
    const code = await session.exit;
    return code === 0 ? null : `exit code ${code}${ending(said)}`;
  } catch (error) {
    signal.throwIfAborted();
    return limit.aborted ? `it did not end within ${formatDuration(timeoutMs)}${ending(said)}` : reasonOf(error);
  } finally {
    release();
  }
}

function ending(said: string): string {
  const last = said.trim().split("\n").at(-1)?.trim() ?? "";
  return last === "" ? "" : `: ${last}`;
}
