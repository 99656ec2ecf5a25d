import type { DeploymentDetail, DeploymentView, EvidenceView } from "../../api/contract.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import { parseDuration } from "../../core/product/units.ts";
import { gateLines } from "../gates-text.ts";
import { evidenceLines } from "../output.ts";
import { type GlobalOptions, knownEnvironment, type Session, withSession } from "../session.ts";
import { confirm } from "../terminal/confirm.ts";
import { sign, style } from "../terminal/style.ts";
import { dateTime } from "../terminal/words.ts";

export type ApproveOptions = GlobalOptions & {
  readonly reason?: string;
  readonly yes?: boolean;
  /** Make a link for somebody else instead. */
  readonly link?: boolean;
  readonly for?: string;
  readonly expires?: string;
};

/** Makes a link at which one person sees what a deployment is about and says yes or no, once. Whoever has it speaks as that person. */
function makeLink(what: string, options: ApproveOptions): Promise<number> {
  const { for: person = "", expires = "24h" } = options;
  const forMs = parseDuration(expires);
  if (person === "")
    throw new SlipwayError("USAGE", { message: "a link is for one person", hint: "say who: --link --for grace" });
  if (forMs === null)
    throw new SlipwayError("USAGE", {
      message: `--expires ${expires} is not a duration`,
      hint: "write it like 12h or 3d",
    });
  return withSession(options, async (session) => {
    const { client, out, actor } = session;
    const { id } = await gatedIn(session, what);
    const made = await client.post<{ url: string; until: number }>(`/v1/deployments/${id}/links`, {
      person,
      actor,
      forMs,
    });
    out.line(made.url);
    out.line(style.quiet(`for ${person}, for one word, until ${dateTime(made.until)}`));
    out.json({ deployment: id, person, ...made });
    return 0;
  });
}

/** Says yes to a deployment that waits at its gates, to what is shown: at a terminal the evidence comes first, and a question. */
export function approve(what: string, options: ApproveOptions): Promise<number> {
  if (options.link === true) return makeLink(what, options);
  return withSession(options, async (session) => {
    const { client, out, actor } = session;
    const { id, environment } = await gatedIn(session, what);
    const evidence = await client.get<EvidenceView>(`/v1/deployments/${id}/evidence`);
    for (const line of evidenceLines(evidence.lines)) out.line(line);
    if (out.mode === "terminal" && process.stdin.isTTY === true && options.yes !== true) {
      if (!(await confirm(`Approve ${id} for ${environment} as ${actor}?`))) return 130;
    }
    const reason = options.reason ?? "approved by hand";
    const { live } = evidence;
    await client.post(`/v1/deployments/${id}/approvals`, { verdict: "approved", actor, reason, live });
    const after = await client.get<DeploymentDetail>(`/v1/deployments/${id}`);
    const isOpen = after.gates === null || after.gates.every(({ open }) => open);
    const goes = isOpen ? "its gates are open" : "it waits on";
    out.line(`${style.good(sign.done)} ${id} approved by ${actor}: ${goes}`);
    for (const line of gateLines(after)) out.line(line);
    out.json({ deployment: id, verdict: "approved", phase: after.phase, gates: after.gates, evidence: evidence.lines });
    return 0;
  });
}

/** Says no: the deployment ends before it has begun; one that waits at a step of its canary is taken back. */
export function reject(what: string, options: ApproveOptions): Promise<number> {
  if ((options.reason ?? "") === "") {
    throw new SlipwayError("USAGE", {
      message: "a rejection needs a reason: who asked wants to know what to mend",
      hint: `run: slipway reject ${what} --reason "..."`,
    });
  }
  return withSession(options, async (session) => {
    const { client, out, actor } = session;
    const { id, canary } = await gatedIn(session, what);
    await client.post(`/v1/deployments/${id}/approvals`, { verdict: "rejected", actor, reason: options.reason });
    const then = canary == null ? "nothing was touched" : "it goes back";
    out.line(`${style.warn(sign.back)} ${id} rejected by ${actor}; ${then}`);
    out.json({ deployment: id, verdict: "rejected" });
    return 0;
  });
}

/** By its id, or the one that waits in an environment; where several do, it must be said which. */
async function gatedIn(session: Session, what: string): Promise<Pick<DeploymentView, "id" | "environment" | "canary">> {
  if (what.startsWith("dep_")) return session.client.get<DeploymentDetail>(`/v1/deployments/${what}`);
  const { gated: before, deployment } = await knownEnvironment(session, what);
  const gated = deployment?.gates == null ? before : [deployment, ...before];
  const [only, ...others] = gated;
  if (only === undefined)
    throw new SlipwayError("NOTHING_TO_APPROVE", { message: `nothing waits at the gates of ${what}` });
  if (others.length === 0) return only;
  throw new SlipwayError("USAGE", {
    message: `${gated.length} deployments wait at the gates of ${what}`,
    evidence: gated.map(({ id, release, createdBy }) => [
      id,
      `r${release.number} ${release.version}, asked for by ${createdBy}`,
    ]),
    hint: `name one of them: slipway approve ${only.id}`,
  });
}
