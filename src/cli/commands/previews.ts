import type { PreviewsView } from "../../api/contract.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import { money } from "../../core/previews/cost.ts";
import { formatDuration } from "../../core/product/units.ts";
import { type GlobalOptions, type Session, withRunning, withSession } from "../session.ts";
import { sign, style, table } from "../terminal/style.ts";
import { ago } from "../terminal/words.ts";

type Preview = PreviewsView["previews"][number];
type Template = PreviewsView["templates"][number];

/** The previews there are: where each is, whose, how old, what it costs; and what is in force for them. */
export function previews(options: GlobalOptions): Promise<number> {
  return withRunning(options, async (session) => {
    const view = await viewOf(session);
    session.out.json(view);
    for (const line of previewsLines(view, Date.now())) session.out.line(line);
    return 0;
  });
}

/** As a push to the branch would, with its newest commit. */
export function createPreview(
  branch: string,
  options: GlobalOptions & { readonly template?: string },
): Promise<number> {
  return withSession(options, async ({ client, product, actor, out }) => {
    const { template } = options;
    const body = { product, branch, actor, ...(template === undefined ? {} : { template }) };
    const { event } = await client.post<{ event: { phase: string; reason: string } }>("/v1/previews", body);
    out.json({ event });
    const begun = event.phase === "begun";
    out.line(`${begun ? style.good(sign.done) : style.warn(sign.warn)} ${event.reason}`);
    if (begun) out.line(style.quiet("  how it goes: slipway triggers; where it is: slipway previews"));
    return begun ? 0 : 1;
  });
}

/** Begins to remove a preview with all that it has. Errors: UNKNOWN_ENVIRONMENT. */
export function removePreview(asked: string, options: GlobalOptions & { readonly reason?: string }): Promise<number> {
  return withSession(options, async (session) => {
    const { client, product, actor, out } = session;
    const name = await nameOf(session, asked);
    const body = { product, name, actor, reason: options.reason ?? "" };
    const { removing } = await client.post<{ removing: boolean }>("/v1/previews/remove", body);
    out.json({ name, removing });
    out.line(`${style.good(sign.done)} ${name} ${removing ? "is being removed" : "is being removed already"}`);
    return 0;
  });
}

/** Has one stopped until it is asked for, or started again. Errors: UNKNOWN_ENVIRONMENT, PREVIEW_REFUSED. */
export function restPreview(
  way: "sleep" | "wake",
  asked: string,
  options: GlobalOptions & { readonly reason?: string },
): Promise<number> {
  return withSession(options, async (session) => {
    const { client, product, actor, out } = session;
    const name = await nameOf(session, asked);
    await client.post(`/v1/previews/${way}`, { product, name, actor, reason: options.reason ?? "" });
    out.json({ name });
    out.line(`${style.good(sign.done)} ${name} ${way === "sleep" ? "sleeps" : "is being started"}`);
    return 0;
  });
}

function viewOf({ client, product }: Session): Promise<PreviewsView> {
  return client.get<PreviewsView>(`/v1/previews?${new URLSearchParams({ product })}`);
}

/** `pr-12` is enough where one template has it. */
export async function nameOf(session: Session, asked: string): Promise<string> {
  const names = (await viewOf(session)).previews.map(({ name }) => name as string);
  const found = names.filter((name) => name === asked || name.endsWith(`/${asked}`));
  const [only, ...more] = found;
  if (only !== undefined && more.length === 0) return only;
  throw new SlipwayError("UNKNOWN_ENVIRONMENT", {
    message: only === undefined ? `there is no preview ${asked}` : `${asked} is ${found.join(" or ")}`,
    evidence: [["there are", names.join(", ") || "none"]],
    hint: "run: slipway previews",
  });
}

export function previewsLines({ previews, templates }: PreviewsView, now: number): string[] {
  const rows = previews.map((preview) => previewRow(preview, now));
  const none =
    templates.length === 0
      ? "no template of previews is in force (slipway explain environments.preview.previews)"
      : "no previews";
  return [...(rows.length === 0 ? [none] : table(rows)), ...templates.map(templateLine)];
}

function previewRow(preview: Preview, now: number): string[] {
  const mark = {
    awake: preview.live === null ? style.accent(sign.running) : style.good(sign.done),
    asleep: style.quiet(sign.waiting),
    waking: style.accent(sign.running),
    removing: style.warn(sign.back),
  }[preview.phase];
  const state = preview.phase === "awake" && preview.live === null ? "no release yet" : preview.phase;
  const { live, expiresAt, cost } = preview;
  return [
    `${mark} ${style.name(preview.name)}`,
    state,
    live === null ? "" : `r${live.number}`,
    preview.url ?? "",
    `made ${ago(preview.madeAt, now)}`,
    `pushed ${ago(preview.pushedAt, now)}`,
    cost === null ? "" : money(cost),
    style.quiet(expiresAt === null ? preview.reason : `${preview.reason}; goes in ${until(expiresAt, now)}`),
  ];
}

function until(at: number, now: number): string {
  return formatDuration(Math.max(0, Math.ceil((at - now) / 60_000) * 60_000));
}

function templateLine({ name, policy, cost }: Template): string {
  const full = policy.whenFull === "oldest" ? "then the oldest goes" : "then no more";
  const sleeps = policy.sleepMs === null ? "" : `, sleeps after ${formatDuration(policy.sleepMs)}`;
  const spent =
    cost === null || policy.cost === null ? "" : `; ${money(cost)} of ${money(policy.cost.perMonth)} this month`;
  return style.quiet(
    `  ${name}: ${policy.host}, at most ${policy.limit}, ${full}, ${formatDuration(policy.ttlMs)} after the last push${sleeps}${spent}`,
  );
}
