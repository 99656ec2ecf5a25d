import { revisionOf } from "../../core/deploy/course.ts";
import type { EnvironmentName, ReleaseId, ServiceName } from "../../core/ids.ts";
import type { EnvironmentSpec, ServiceSpec } from "../../core/product/spec.ts";
import { type Held, instancesNow } from "../../core/scale/count.ts";
import { noPast, type ScalePast } from "../../core/scale/decide.ts";
import type { Trx } from "../../ports/store.ts";
import type { ScaleRow } from "../../ports/tables.ts";
import { openDeployments } from "../deploy/open.ts";
import { findEnvironment } from "../environment.ts";
import { appendHistory } from "../history.ts";
import { releaseView } from "../release/read.ts";
import type { World } from "../world.ts";
import { heldOf, scaleRows } from "./held.ts";
import { type ScaleJob, scaleWorkflowOf } from "./job.ts";
import { limitTraffic } from "./limit-traffic.ts";

export type Admission = {
  readonly product: string;
  readonly environment: EnvironmentName;
  readonly service: ServiceName;
  /** Only while this one is live with so many, and nobody has set them by hand: what was seen says nothing of anything else. */
  readonly onlyOf: { readonly release: ReleaseId; readonly count: number } | null;
  /** How many there are to be. */
  readonly to: (service: ServiceSpec, spec: EnvironmentSpec, held: Held | undefined) => number;
  readonly mode: ScaleRow["mode"];
  /** Null keeps what is remembered. */
  readonly past: ScalePast | null;
  readonly actor: string;
  readonly reason: (from: number, to: number) => string;
};

export type Admitted =
  | { readonly is: "refused"; readonly because: "nothing-live" | "busy" | "unknown-service"; readonly why: string }
  | {
      readonly is: "admitted";
      readonly from: number;
      readonly to: number;
      /** Null: there are as many already. */
      readonly operation: string | null;
      /** To be called after the commit. */
      readonly go: () => Promise<void>;
    };

/**
 * Records how many instances there are to be, why, and the workflow that brings it about, in the caller's transaction. Those that are
 * to go get no new requests from then on. Never beside a deployment, and one at a time in an environment.
 */
export async function admit(world: World, trx: Trx, input: Admission): Promise<Admitted> {
  const { product, environment, service: name, mode, actor } = input;
  const row = await findEnvironment(trx, input);
  const live = row?.live_release_id ?? null;
  if (row === undefined || live === null)
    return { is: "refused", because: "nothing-live", why: `nothing is live in ${environment}` };
  const [open] = await openDeployments(trx, input);
  if (open !== undefined)
    return { is: "refused", because: "busy", why: `${open.id} is under way in ${environment} (${open.phase})` };
  const rows = await scaleRows(trx, input);
  const busy = rows.find(({ operation }) => operation !== null);
  if (busy !== undefined)
    return { is: "refused", because: "busy", why: `${busy.service} is being brought to ${busy.wanted} instances` };
  const view = await releaseView(trx, live, environment);
  const service = view.spec.services[name];
  if (service === undefined || service.kind === "job")
    return {
      is: "refused",
      because: "unknown-service",
      why: `r${view.number} has no service ${name} that goes on running`,
    };
  const before = rows.find((each) => each.service === name);
  const held = before === undefined ? undefined : heldOf(before);
  const from = instancesNow(view.spec, service, held);
  if (
    input.onlyOf !== null &&
    (live !== input.onlyOf.release || from !== input.onlyOf.count || before?.mode === "hand")
  )
    return { is: "refused", because: "busy", why: "it is not as it was when it was looked at" };
  const to = input.to(service, view.spec, held);
  const now = world.clock.now();
  const operation = to === from ? null : `scl_${world.newId()}`;
  const reason = input.reason(from, to);
  const changed = {
    // Fewer holds at once: who goes must get nothing new before anybody asks it to stop.
    instances: Math.min(from, to),
    wanted: operation === null ? null : to,
    operation,
    mode,
    past: input.past === null ? (before?.past ?? JSON.stringify(noPast)) : JSON.stringify(input.past),
    actor,
    reason,
    changed_at: now,
  };
  await trx
    .insertInto("scale")
    .values({ product, environment, service: name, ...changed })
    .onConflict((conflict) => conflict.columns(["product", "environment", "service"]).doUpdateSet(changed))
    .execute();
  if (to < from) await limitTraffic(trx, row, { revision: revisionOf(view, name), instances: to, now });
  await appendHistory(trx, {
    at: now,
    product,
    environment,
    release: live,
    event: operation === null ? "service.scale-set" : "service.scaling",
    actor,
    reason: `${name} ${reason}`,
  });
  if (operation === null) return { is: "admitted", from, to, operation, go: async () => {} };
  const modeBefore = before?.mode ?? "auto";
  const job: ScaleJob = { operation, product, environment, service: name, release: live, from, to, modeBefore, actor };
  const go = await world.engine.startWithin(trx, ...scaleWorkflowOf(job));
  return { is: "admitted", from, to, operation, go };
}
