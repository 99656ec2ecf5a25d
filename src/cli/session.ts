import type { Client } from "../api/client.ts";
import type { EnvironmentView, ReleaseView, StatusView } from "../api/contract.ts";
import { isSlipwayError, SlipwayError } from "../core/errors/error.ts";
import { parseDuration } from "../core/product/units.ts";
import { actor } from "./actor.ts";
import { type Connection, connect, lockedOut } from "./connect.ts";
import { type Output, output } from "./output.ts";
import type { StateDirectory } from "./state-directory.ts";

/** Options that every command takes. */
export type GlobalOptions = { readonly json?: boolean; readonly stateDir?: string };

/** One command's connection to the control plane, and how it speaks. */
export type Session = {
  readonly out: Output;
  readonly client: Client;
  readonly product: string;
  readonly actor: string;
  /** The client, or one to the control plane that has taken over since. One that was told to stop is not started again. */
  readonly reconnect: () => Promise<Client>;
  readonly at: StateDirectory;
  close(): void;
};

export async function openSession(
  options: GlobalOptions,
  { start = true }: { readonly start?: boolean } = {},
): Promise<Session> {
  const out = output(options);
  let connection: Connection = await connect({ stateDir: options.stateDir, start });
  if (connection.started && out.mode === "terminal") out.line(`control plane started (${connection.at.root})`);
  return {
    out,
    client: connection.client,
    product: connection.product,
    actor: actor(),
    at: connection.at,
    reconnect: async () => {
      const before = connection.client;
      connection = await connect({ stateDir: options.stateDir, start: start && "when-killed" });
      if (connection.client !== before) before.close();
      return connection.client;
    },
    close: () => connection.client.close(),
  };
}

/** Runs a command with a session and closes it whatever happens. */
export async function withSession<T>(
  options: GlobalOptions,
  work: (session: Session) => Promise<T>,
  start = true,
): Promise<T> {
  const session = await openSession(options, { start });
  try {
    return await work(session);
  } catch (error) {
    if (!isSlipwayError(error) || error.code !== "UNAUTHORIZED") throw error;
    throw lockedOut(session.at, "it has another token than this one");
  } finally {
    session.close();
  }
}

/**
 * The same for a command that only looks. It starts nothing: a control plane that it left behind would go on with work that
 * somebody may have stopped it for. Errors: CONTROL_PLANE_DOWN.
 */
export function withRunning<T>(options: GlobalOptions, work: (session: Session) => Promise<T>): Promise<T> {
  return withSession(options, work, false);
}

/** Every release of the product, newest first. */
export async function fetchReleases({ client, product }: Session): Promise<readonly ReleaseView[]> {
  const path = `/v1/releases?product=${encodeURIComponent(product)}`;
  return (await client.get<{ releases: readonly ReleaseView[] }>(path)).releases;
}

/** `r12`, `12`, `rel_…` or a version, as the id of a release that exists. Errors: UNKNOWN_RELEASE. */
export async function findRelease(session: Session, text: string): Promise<string> {
  const releases = await fetchReleases(session);
  const found = releases.find((release) =>
    [release.id, `r${release.number}`, String(release.number), release.version].includes(text),
  );
  if (found !== undefined) return found.id;
  const newest = releases.slice(0, 5).map((release) => `r${release.number} ${release.version}`);
  throw new SlipwayError("UNKNOWN_RELEASE", {
    message: `${JSON.stringify(text)} names no release of ${session.product}`,
    evidence: [["newest", newest.join(", ") || "there is none yet"]],
  });
}

/** The environment as it is now. Errors: UNKNOWN_ENVIRONMENT, with those that are known. */
export async function knownEnvironment(session: Session, name: string): Promise<EnvironmentView> {
  return environmentIn((await status(session)).environments, name);
}

/** The same, from a status that is at hand. */
export function environmentIn(environments: readonly EnvironmentView[], name: string): EnvironmentView {
  const found = environments.find((each) => each.name === name);
  if (found !== undefined) return found;
  throw new SlipwayError("UNKNOWN_ENVIRONMENT", {
    message: `nothing was ever deployed to ${name}`,
    evidence: [["known", environments.map((each) => each.name).join(", ") || "none yet"]],
    hint: `run: slipway deploy --env ${name}, if the config has it`,
  });
}

export function status(session: Session): Promise<StatusView> {
  return session.client.get<StatusView>("/v1/status");
}

/** `--timeout 90s` in ms; null without one. Errors: USAGE. */
export function timeoutOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  const ms = parseDuration(text);
  if (ms !== null && ms > 0) return ms;
  throw new SlipwayError("USAGE", {
    message: `--timeout ${text} is not a duration`,
    hint: "write it like 90s, 5m or 1h30m",
  });
}
