import type { StopView } from "../../api/contract.ts";
import { isSlipwayError, SlipwayError } from "../../core/errors/error.ts";
import { connect, whereIsState } from "../connect.ts";
import { output } from "../output.ts";
import { type GlobalOptions, withSession } from "../session.ts";
import { readRunning } from "../state-directory.ts";
import { sign, style } from "../terminal/style.ts";

/** Starts the control plane in the background, when it does not run. */
export async function up(options: GlobalOptions): Promise<number> {
  const out = output(options);
  const { client, at, started } = await connect({ stateDir: options.stateDir });
  const alive = await client.get<{ version: string; pid: number }>("/v1/alive");
  client.close();
  out.line(
    `${style.good(sign.done)} control plane ${started ? "started" : "runs"}: pid ${alive.pid}, version ${alive.version}, state in ${at.root}`,
  );
  out.json({ ...alive, started, stateDirectory: at.root });
  return 0;
}

/** Replaces the edge's workers by ones on the code on disk: after an upgrade, without a failed request. */
export function reloadEdge(options: GlobalOptions): Promise<number> {
  return withSession(options, async (session) => {
    await session.client.post("/v1/edge/reload", {});
    session.out.line(`${style.good(sign.done)} every worker of the edge is a new one`);
    session.out.json({ reloaded: true });
    return 0;
  });
}

/** How long a control plane may take to stop: a step in flight gets its grace. */
const stopMs = 90_000;

/**
 * Stops the control plane; with --all also the edge and every revision. The product goes on otherwise. Errors: STOP_FAILED, with what
 * still runs and why; TIMED_OUT.
 */
export async function down(options: GlobalOptions & { readonly all?: boolean }): Promise<number> {
  const out = output(options);
  const everything = options.all === true;
  let stopped: StopView;
  let pid: number | null = null;
  try {
    // Stopping everything needs somebody who knows everything: one is started for it when none runs.
    stopped = await withSession(
      options,
      (session) => {
        pid = readRunning(whereIsState(options.stateDir))?.pid ?? null;
        return session.client.post<StopView>("/v1/stop", { everything });
      },
      everything,
    );
  } catch (error) {
    // It ends also where it could not do all that was asked.
    if (pid !== null) await ended(pid).catch(() => {}); // what went wrong first says more
    if (everything || !isSlipwayError(error) || error.code !== "CONTROL_PLANE_DOWN") throw error;
    out.line("no control plane runs");
    out.json({ stopped: false });
    return 0;
  }
  await ended(stopped.pid);
  if (stopped.left.length > 0) {
    const which = stopped.left.length === 1 ? "one revision" : `${stopped.left.length} revisions`;
    throw new SlipwayError("STOP_FAILED", {
      message: `the control plane and the edge are stopped, and ${which} could not be: they are left as they are`,
      evidence: stopped.left.map(({ revision, reason }) => [revision, reason]),
    });
  }
  out.line(
    `${style.good(sign.done)} control plane stopped${everything ? ", with the edge and every revision" : "; the edge and the revisions go on"}`,
  );
  out.json({ stopped: true, everything });
  return 0;
}

async function ended(pid: number): Promise<void> {
  const until = Date.now() + stopMs;
  while (Date.now() < until) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new SlipwayError("TIMED_OUT", {
    message: `the control plane (pid ${pid}) has not stopped within ${stopMs / 1000} s`,
    hint: "look at its log in the state directory",
  });
}
