import { existsSync, readFileSync, rmSync } from "node:fs";
import { mkdir, realpath } from "node:fs/promises";
import type { AgentView } from "../../api/agent-contract.ts";
import { reasonOf, SlipwayError } from "../../core/errors/error.ts";
import { Guarded } from "../agent/guarded.ts";
import { Link, type LinkOptions, NotOurs } from "../agent/link.ts";
import { agentMeans } from "../agent/means.ts";
import { clearLeft, type Working, work } from "../agent/work.ts";
import { type GlobalOptions, withRunning, withSession } from "../session.ts";
import { sign, style, table } from "../terminal/style.ts";
import { dateTime } from "../terminal/words.ts";

export type AgentOptions = {
  readonly controlPlane: string;
  readonly tokenFile: string;
  readonly labels: string;
  readonly concurrency: string;
  readonly directory: string;
  readonly engine?: string;
  readonly once?: boolean;
};

/** How long an agent that is stopped tries to say so. */
const goodbyeMs = 2_000;

const labelsOf = (text: string): readonly string[] => text.split(",").filter((label) => label !== "");

/** Runs steps for a control plane elsewhere, until it is stopped. */
export async function agent(options: AgentOptions): Promise<number> {
  const url = addressOf(options.controlPlane);
  const hands = options.once === true ? 1 : Math.max(1, Number(options.concurrency));
  const isHere = ["127.0.0.1", "[::1]", "localhost"].includes(url.hostname);
  if (url.protocol !== "https:" && !isHere)
    throw new SlipwayError("USAGE", {
      message: `${options.controlPlane} would carry the token and secrets in clear`,
      hint: "use https://: a proxy with TLS in front of triggers.listen",
    });
  const token = tokenIn(options.tokenFile);
  await mkdir(options.directory, { recursive: true, mode: 0o700 });
  const directory = await realpath(options.directory);
  const log = (line: string): void => void process.stdout.write(`${dateTime(Date.now())} ${line}\n`);
  const engine = options.engine ?? null;
  const tokenFile = await realpath(options.tokenFile);
  const guarded = await Guarded.open({ directory, tokenFile, url: url.href });
  const means = await agentMeans({ directory, engine, tokenFile });
  const unfenced = await means.executor.unfenced();
  if (unfenced !== null) log(`steps that are processes can read this agent's directory and token: ${unfenced}`);
  let noEngine: string | null = null;
  const hasEngine = async (): Promise<boolean> => {
    const why = await means.whyNoEngine();
    // The same again is no news.
    if (engine !== null && why !== null && why !== noEngine)
      log(`${engine} does not answer, so no step with an image is run: ${why}`);
    if (noEngine !== null && why === null) log(`${engine} answers`);
    noEngine = why;
    return why === null;
  };
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort(new Error(signal)));
  const on: Working = {
    link: new Link({ url: url.href, token, log, ...crashPoint() }),
    executor: means.executor,
    directory,
    labels: labelsOf(options.labels),
    engine,
    hasEngine,
    log,
  };
  try {
    await clearLeft(on);
    await on.link.anew(stop.signal);
    log(`waits for steps with ${on.labels.join(", ")}`);
    await Promise.all(Array.from({ length: hands }, () => work(on, { once: options.once === true }, stop.signal)));
    // Stopped with steps in hand: another agent need not wait until their leases are over.
    if (stop.signal.aborted) await on.link.anew(AbortSignal.timeout(goodbyeMs)).catch(() => undefined);
    return 0;
  } catch (error) {
    if (!(error instanceof NotOurs)) throw error;
    throw new SlipwayError("UNAUTHORIZED", { message: `the control plane refuses this agent: ${error.message}` });
  } finally {
    await means.close();
    await guarded.close();
  }
}

/** For the crash tests of agents: ends this process, as SIGKILL would, at the boundary that a file names, once. */
function crashPoint(): Pick<LinkOptions, "onBoundary"> {
  const file = process.env.SLIPWAY_TEST_CRASH_FILE;
  if (file === undefined) return {};
  return {
    onBoundary: (at) => {
      if (!existsSync(file) || readFileSync(file, "utf8") !== at) return;
      rmSync(file);
      process.kill(process.pid, "SIGKILL");
    },
  };
}

function addressOf(text: string): URL {
  if (URL.canParse(text)) return new URL(text);
  throw new SlipwayError("USAGE", {
    message: `--control-plane ${JSON.stringify(text)} is no address`,
    hint: "give the address of triggers.listen, such as https://slipway.example.com",
  });
}

function tokenIn(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (cause) {
    throw new SlipwayError("USAGE", {
      message: `--token-file ${file} cannot be read: ${reasonOf(cause)}`,
      hint: "make a token where the control plane runs: slipway agent-token <name> --labels <label,...>",
      cause,
    });
  }
}

/** Makes the text that an agent proves itself with. It is shown once and kept nowhere. */
export function makeAgentToken(
  agent: string,
  options: GlobalOptions & { readonly labels: string; readonly days: string },
): Promise<number> {
  return withSession(options, async ({ client, product, out }) => {
    const body = { product, agent, labels: labelsOf(options.labels), days: Number(options.days) };
    const made = await client.post<{ token: string; until: number }>("/v1/agent-tokens", body);
    out.json(made);
    out.line(made.token);
    return 0;
  });
}

/** Takes an agent's tokens back. Another may be made afterwards. */
export function revokeAgent(agent: string, options: GlobalOptions & { readonly reason: string }): Promise<number> {
  return withSession(options, async ({ client, product, actor, out }) => {
    const body = { product, agent, actor, reason: options.reason };
    const { isKnown, given } = await client.post<{ isKnown: boolean; given: AgentView["running"] }>(
      "/v1/agent-revocations",
      body,
    );
    out.json({ agent, isKnown, given });
    out.line(`${style.good(sign.done)} every token of ${agent} that there is by now is refused`);
    for (const labels of given) out.line(`${stepText(labels)} goes to another agent`);
    if (!isKnown)
      out.line(`no agent ${agent} has asked for work since the control plane started; compare: slipway agents`);
    return 0;
  });
}

/** Who has asked for work since the control plane started, and whose tokens were taken back. */
export function agents(options: GlobalOptions): Promise<number> {
  return withRunning(options, async ({ client, out }) => {
    const { agents: all } = await client.get<{ agents: readonly AgentView[] }>("/v1/agents");
    out.json({ agents: all });
    if (all.length === 0) out.line("no agent has asked for work since the control plane started");
    const rows = all.map(({ agent, labels, engine, lastSeenAt, running, revoked }) => [
      agent,
      [...labels, ...(engine ? ["with an engine"] : [])].join(", "),
      revoked === null
        ? running.map(stepText).join(", ") || "idle"
        : `revoked ${dateTime(revoked.at)} by ${revoked.by}: ${revoked.reason}`,
      lastSeenAt === null ? "" : `last seen ${dateTime(lastSeenAt)}`,
    ]);
    for (const line of table(rows)) out.line(line);
    return 0;
  });
}

function stepText({ run = "", step = "" }: Readonly<Record<string, string>>): string {
  return `${run} step ${step}`;
}
