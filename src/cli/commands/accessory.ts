import type { AccessoryPlanView, AccessoryView, AccessoryWorkView } from "../../api/contract.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import { Away } from "../away.ts";
import { type GlobalOptions, knownEnvironment, type Session, timeoutOf, withRunning, withSession } from "../session.ts";
import { confirm } from "../terminal/confirm.ts";
import { sign, style, table } from "../terminal/style.ts";
import { ago, took } from "../terminal/words.ts";

/** Every accessory, how it is, and where it differs from what is live. */
export function listAccessories(options: GlobalOptions & { readonly env?: string }): Promise<number> {
  return withRunning(options, async (session) => {
    if (options.env !== undefined) await knownEnvironment(session, options.env);
    const query = new URLSearchParams({
      product: session.product,
      ...(options.env === undefined ? {} : { environment: options.env }),
    });
    const { accessories } = await session.client.get<{ accessories: AccessoryView[] }>(`/v1/accessories?${query}`);
    session.out.json({ accessories });
    if (accessories.length === 0) session.out.line("no accessory; the config names them under accessories");
    for (const line of table(accessories.map((each) => [each.environment, ...accessoryRow(each, Date.now())])))
      session.out.line(line);
    for (const each of accessories) for (const line of differenceLines(each)) session.out.line(line);
    return 0;
  });
}

export function accessoryRow(each: AccessoryView, now: number): string[] {
  const since = each.since === null ? "" : `since ${ago(each.since, now).replace(/ ago$/, "")}`;
  return [
    `${each.state === "running" ? style.good(sign.running) : style.bad(sign.failed)} ${style.name(each.name)}`,
    each.image,
    each.state,
    style.quiet([each.host, since].filter((part) => part !== null && part !== "").join(", ")),
    each.restarts > 0 ? style.warn(`${each.restarts} restarts`) : "",
  ];
}

/** What runs and is not what is live, and what to type. */
export function differenceLines({ name, environment, differs }: AccessoryView): string[] {
  if (differs.length === 0) return [];
  return [
    style.warn(`  ${sign.warn} ${name} runs as it was before: ${differs.join(", ")}`),
    style.quiet(`    to replace it: slipway accessory replace ${name} -e ${environment}`),
  ];
}

export type AccessoryOptions = GlobalOptions & {
  readonly env: string;
  readonly yes?: boolean;
  readonly wait: boolean;
  readonly timeout?: string;
  readonly reason?: string;
};

/** Restarts or replaces one, after showing what that means. */
export function changeAccessory(what: "restart" | "replace", name: string, options: AccessoryOptions): Promise<number> {
  const timeoutMs = timeoutOf(options.timeout);
  return withSession(options, async (session) => {
    const at = { product: session.product, environment: options.env, name, what };
    const plan = await session.client.post<AccessoryPlanView>("/v1/accessories/plans", at);
    if (session.out.mode !== "json") for (const line of planLines(what, plan)) session.out.line(line);
    const isPerson = session.out.mode === "terminal" && options.yes !== true && process.stdin.isTTY === true;
    if (isPerson && !(await confirm(`${what === "restart" ? "Restart" : "Replace"} ${name} in ${options.env}?`)))
      return 130;
    const reason = options.reason ?? "";
    const { id } = await session.client.post<{ id: string }>("/v1/accessories", {
      ...at,
      actor: session.actor,
      reason,
    });
    if (!options.wait) {
      session.out.line(`it has begun; look at it with: slipway accessory list -e ${options.env}`);
      session.out.json({ id });
      return 0;
    }
    return conclude(session, { id, name }, timeoutMs);
  });
}

async function conclude(
  session: Session,
  { id, name }: { readonly id: string; readonly name: string },
  timeoutMs: number | null,
): Promise<number> {
  const interrupt = new AbortController();
  process.once("SIGINT", () =>
    interrupt.abort(new SlipwayError("INTERRUPTED", { message: `${name}: it goes on without you` })),
  );
  const signal =
    timeoutMs === null ? interrupt.signal : AbortSignal.any([interrupt.signal, AbortSignal.timeout(timeoutMs)]);
  const away = new Away();
  for (;;) {
    try {
      const client = await session.reconnect();
      for await (const { outcome } of client.stream<AccessoryWorkView>(`/v1/accessories/${id}/follow`, signal)) {
        away.over();
        if (outcome === null) continue;
        session.out.json({ id, ...outcome });
        if (outcome.code !== null && session.out.mode !== "json")
          throw new SlipwayError(outcome.code, { message: `${name}: ${outcome.says}`, evidence: outcome.evidence });
        session.out.line(`${style.good(sign.done)} ${name} is ${outcome.event}, and well`);
        return outcome.code === null ? 0 : new SlipwayError(outcome.code, { message: "" }).exitCode;
      }
    } catch (error) {
      interrupt.signal.throwIfAborted();
      if (signal.aborted)
        throw new SlipwayError("TIMED_OUT", { message: `${name} is not done within ${took(timeoutMs ?? 0)}` });
      await away.wait(error);
    }
  }
}

function planLines(what: "restart" | "replace", { state, steps, warnings }: AccessoryPlanView): string[] {
  const runs =
    state.revision === null ? "does not run" : `${state.state}${state.host === null ? "" : ` on ${state.host}`}`;
  return [
    `${style.name(state.environment)}  ${what} accessory ${style.name(state.name)}  ${style.quiet(runs)}`,
    ...(what === "replace" ? state.differs.map((line) => `  ${style.warn("~")} ${line}`) : []),
    `  ${style.accent("Steps")}`,
    ...steps.map((step, index) => `    ${index + 1}. ${step}`),
    ...warnings.map((line) => `  ${style.warn(`${sign.warn} ${line}`)}`),
  ];
}
