import { reasonOf, SlipwayError } from "../../core/errors/error.ts";
import { type EnvironmentName, type InstanceId, type ReleaseId, revisionId, type ServiceName } from "../../core/ids.ts";
import type { TargetSpec } from "../../core/product/spec.ts";
import { freshPrefix, type Session, type SessionPlace, type TerminalSize } from "../../ports/session.ts";
import { runningOf } from "../accessories/state.ts";
import { revisionSpec } from "../deploy/revision-spec.ts";
import { findEnvironment } from "../environment.ts";
import { appendHistory } from "../history.ts";
import { releaseView } from "../release/read.ts";
import type { World } from "../world.ts";

export type Command = {
  readonly product: string;
  readonly environment: EnvironmentName;
  readonly service: ServiceName;
  /** Beside this one; null chooses one that has the traffic. Not for a fresh one. */
  readonly instance: InstanceId | null;
  /** Of the fresh instance; null is the live one. */
  readonly release: ReleaseId | null;
  readonly where: "beside" | "fresh";
  readonly command: readonly string[];
  readonly terminal: TerminalSize | null;
  readonly actor: string;
  readonly reason: string;
};

const shownChars = 300;

/**
 * Opens a command beside an instance or in a fresh one, and writes into the history who ran what and how it ended; never what it
 * printed. Errors: UNKNOWN_ENVIRONMENT, UNKNOWN_SERVICE, UNKNOWN_RELEASE, INSTANCE_NOT_FOUND, EXEC_FAILED.
 */
export async function openCommand(world: World, input: Command, signal: AbortSignal): Promise<Session> {
  const { place, target, release } = await placeFor(world, input);
  const begun = world.clock.monotonicMs();
  const { command, terminal } = input;
  const session = await world.targets.session({ place, command, terminal }, target, signal);
  await note(world, input, { release, how: "began", says: "" });
  void session.exit
    .then(
      (code) => `exit code ${code}`,
      (error: unknown) => reasonOf(error),
    )
    .then((says) => {
      const seconds = ((world.clock.monotonicMs() - begun) / 1_000).toFixed(1);
      return note(world, input, { release, how: "ended", says: `${says} after ${seconds} s: ` });
    })
    .catch((error: unknown) => world.log.warn("command.not-noted", { reason: reasonOf(error) }));
  return session;
}

type Placed = {
  readonly place: SessionPlace;
  readonly target: TargetSpec | null;
  readonly release: ReleaseId | null;
};

async function placeFor(world: World, input: Command): Promise<Placed> {
  if (input.where === "beside") {
    const instance = input.instance ?? (await chosenInstance(world, input));
    return { place: { instance }, target: null, release: null };
  }
  const live = (await findEnvironment(world.store.db, input))?.live_release_id ?? null;
  const release = input.release ?? live;
  if (release === null) {
    throw new SlipwayError("UNKNOWN_ENVIRONMENT", {
      message: `nothing is live in ${input.environment}`,
      hint: `run: slipway deploy --env ${input.environment}, or name a release: --release r1`,
    });
  }
  const view = await releaseView(world.store.db, release, input.environment);
  const spec = await revisionSpec(world, view, input.service);
  const id = revisionId(`${freshPrefix}${world.newId()}`);
  // The port of its host is its sibling's.
  const container = spec.container === null ? null : { ...spec.container, hostPorts: [] };
  return { place: { fresh: { ...spec, id, container } }, target: view.spec.target, release };
}

const byRole = ["stable", "candidate", "warm"];

/** One that runs, of what has the traffic where there is any; also of an accessory. */
async function chosenInstance(world: World, { product, environment, service }: Command): Promise<InstanceId> {
  const rows = await world.store.db
    .selectFrom("revision")
    .select(["id", "role"])
    .where("product", "=", product)
    .where("environment", "=", environment)
    .where("service", "=", service)
    .where("role", "in", ["candidate", "stable", "warm"])
    .execute();
  const running = await world.targets.present({ environment });
  const known = rows.toSorted((a, b) => byRole.indexOf(a.role) - byRole.indexOf(b.role));
  const statuses =
    known.length > 0
      ? known.map(({ id }) => running.find((status) => status.id === id))
      : [runningOf(running, { environment, name: service })];
  const found = statuses
    .flatMap((status) => status?.instances ?? [])
    .find(({ state, lastSeen }) => state === "running" && lastSeen === undefined);
  if (found !== undefined) return found.id;
  throw new SlipwayError("INSTANCE_NOT_FOUND", {
    message: `no instance of ${service} runs in ${environment}`,
    hint: `run: slipway status --env ${environment}; or in a fresh one: slipway exec --fresh -e ${environment} -s ${service} -- <command>`,
  });
}

async function note(
  world: World,
  { product, environment, service, command, where, actor, reason }: Command,
  {
    release,
    how,
    says,
  }: { readonly release: ReleaseId | null; readonly how: "began" | "ended"; readonly says: string },
): Promise<void> {
  const words = command.map((word) => (/^[\w./:=@%+,-]+$/.test(word) ? word : JSON.stringify(word))).join(" ");
  const shown = words.length > shownChars ? `${words.slice(0, shownChars)}…` : words;
  await world.store.db.transaction().execute((trx) =>
    appendHistory(trx, {
      at: world.clock.now(),
      product,
      environment,
      ...(release === null ? {} : { release }),
      event: `${where === "fresh" ? "run" : "exec"}.${how}`,
      actor,
      reason: `${says}${service}: ${shown}${how === "began" && reason !== "" ? ` (${reason})` : ""}`,
    }),
  );
  world.changes.announce();
}

/** Fresh instances that outlived the control plane that made them. What cannot be reached now goes at the next start. */
export async function sweepFresh(world: World, signal: AbortSignal): Promise<void> {
  try {
    const left = (await world.targets.observe({})).filter(({ id }) => id.startsWith(freshPrefix));
    for (const { id } of left) {
      await world.targets.remove(id, signal);
      world.log.info("run.swept", { revision: id });
    }
  } catch (error) {
    world.log.warn("run.not-swept", { reason: reasonOf(error) });
  }
}
