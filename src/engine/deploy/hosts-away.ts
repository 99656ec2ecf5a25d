import { self } from "../../core/actor.ts";
import type { Course, Deployment, DeploymentEvent } from "../../core/deploy/deployment.ts";
import { defaultWaitAtMostMs } from "../../core/product/environment.ts";
import type { DockerTargetSpec, EnvironmentSpec } from "../../core/product/spec.ts";
import { formatDuration } from "../../core/product/units.ts";
import { linkedSignal } from "../../lib/linked-signal.ts";
import type { HostStatus } from "../../ports/hosts.ts";
import { appendHistory } from "../history.ts";
import { releaseView } from "../release/read.ts";
import type { World } from "../world.ts";
import { isGoingBack } from "./record.ts";

const lookMs = 1_000;

/**
 * Does what a phase asks, and records meanwhile which hosts are away and what that means to this deployment, once each: nobody should have to
 * guess why it stands still, or on which hosts it is not. A way back waits for no host and tells of none.
 */
export async function tellingOfHosts(
  world: World,
  { course, phase }: Deployment,
  signal: AbortSignal,
  work: () => Promise<DeploymentEvent | null>,
): Promise<DeploymentEvent | null> {
  const { spec } = await releaseView(world.store.db, course.release, course.environment);
  const { target } = spec;
  if (target.driver !== "docker" || isGoingBack(phase) || world.targets.hosts(target).length === 0) return work();
  const teller = new Teller(world, { course, spec, target });
  const over = linkedSignal([signal]);
  const looking = keepTelling(world, teller, over.signal).catch(() => {});
  try {
    return await work();
  } finally {
    over.end(ended);
    await looking;
    if (!signal.aborted) await teller.look();
  }
}

/** Made once: a reason that is made costs a stack each time. */
const ended = new Error("the work is done");

async function keepTelling({ clock }: World, teller: Teller, signal: AbortSignal): Promise<never> {
  for (;;) {
    await clock.sleep(lookMs, signal);
    await teller.look();
  }
}

type At = { readonly course: Course; readonly spec: EnvironmentSpec; readonly target: DockerTargetSpec };

class Teller {
  readonly #world: World;
  readonly #at: At;
  /** What the history says of each host that was away in this deployment, the newest. Null: it was not read yet. */
  #told: Map<string, string> | null = null;

  constructor(world: World, at: At) {
    this.#world = world;
    this.#at = at;
  }

  async look(): Promise<void> {
    const { target } = this.#at;
    for (const host of this.#world.targets.hosts(target)) {
      if (host.awayForMs === null && this.#told === null) continue;
      const told = await this.#toldOf(host.name);
      if (host.awayForMs === null) {
        if (told === "host.awaited" || told === "host.away")
          await this.#record(host, "host.answers", `host ${host.name} answers; it goes on`);
        continue;
      }
      const { event, says } = host.givenUp ? givenUp : meaning(target);
      if (told !== event) await this.#record(host, event, `host ${host.name} ${says}`);
    }
  }

  async #toldOf(host: string): Promise<string | undefined> {
    this.#told ??= await this.#read();
    return this.#told.get(host);
  }

  /** Also what a control plane before this one has told. */
  async #read(): Promise<Map<string, string>> {
    const rows = await this.#world.store.db
      .selectFrom("history")
      .select(["event", "evidence"])
      .where("deployment_id", "=", this.#at.course.id)
      .where("event", "in", ["host.away", "host.awaited", "host.skipped", "host.answers"])
      .orderBy("id")
      .execute();
    return new Map(
      rows.map(({ event, evidence }) => [new Map(JSON.parse(evidence) as [string, string][]).get("host") ?? "", event]),
    );
  }

  async #record({ name }: HostStatus, event: string, reason: string): Promise<void> {
    const { store, clock, log, changes } = this.#world;
    const { course, spec } = this.#at;
    const { environment, product } = spec;
    const entry = { at: clock.now(), product, environment, deployment: course.id, release: course.release };
    await store.db
      .transaction()
      .execute((trx) => appendHistory(trx, { ...entry, event, actor: self, reason, evidence: [["host", name]] }));
    this.#told?.set(name, event);
    log.warn(event, { deployment: course.id, host: name, reason });
    changes.announce();
  }
}

const skipped = "the release goes to the others without it";
const givenUp = { event: "host.skipped", says: `is given up until it answers; ${skipped}` };

/** What a host that is away means to a deployment. */
function meaning({ whenAway, waitAtMostMs = defaultWaitAtMostMs }: DockerTargetSpec) {
  switch (whenAway) {
    case "stop":
      return {
        event: "host.away",
        says: "does not answer; nothing new is taken on without it, so it is tried for a while",
      };
    case "wait":
      return {
        event: "host.awaited",
        says: `does not answer; it is waited for, ${formatDuration(waitAtMostMs)} at most`,
      };
    case "skip":
      return { event: "host.skipped", says: `does not answer; ${skipped}` };
  }
}
