import { SlipwayError } from "../../core/errors/error.ts";
import type { LogLine } from "../../ports/target.ts";
import { type GlobalOptions, knownEnvironment, type Session, status, withRunning } from "../session.ts";
import { harmlessLine } from "../terminal/harmless.ts";
import { style } from "../terminal/style.ts";
import { clockTime } from "../terminal/words.ts";

export type LogsOptions = GlobalOptions & {
  readonly env?: string;
  readonly service?: string;
  readonly revision?: string;
  readonly tail: string;
  readonly follow?: boolean;
};

/** Log lines of services, oldest first; with --follow also those to come. */
export function logs(options: LogsOptions): Promise<number> {
  return withRunning(options, async (session) => {
    if (options.env !== undefined) await knownEnvironment(session, options.env);
    if (session.out.mode !== "json") await doubt(session, options);
    const query = new URLSearchParams({ tail: options.tail, follow: String(options.follow === true) });
    if (options.env !== undefined) query.set("environment", options.env);
    if (options.service !== undefined) query.set("service", options.service);
    if (options.revision !== undefined) query.set("revision", options.revision);
    const stop = new AbortController();
    process.once("SIGINT", () => stop.abort(new SlipwayError("INTERRUPTED", { message: "interrupted" })));
    try {
      for await (const line of session.client.stream<LogLine>(`/v1/logs?${query}`, stop.signal)) {
        session.out.json(line);
        session.out.line(logText(line));
      }
    } catch (error) {
      // Leaving a follow is how it ends.
      if (!stop.signal.aborted) throw error;
    }
    return 0;
  });
}

/**
 * Hosts whose lines are missing are named. What a removed one has written can still be read, so a name that nothing has now is no error;
 * a typing error is told all the same.
 */
async function doubt(session: Session, { env, service }: LogsOptions): Promise<void> {
  const { environments } = await status(session);
  const shown = environments.filter(({ name }) => env === undefined || name === env);
  for (const says of new Set(shown.flatMap(({ away }) => away.map((each) => each.says))))
    process.stderr.write(`${style.warn("!")} ${says}\n`);
  if (service === undefined) return;
  const names = new Set(
    shown.flatMap(({ services, accessories }) => [
      ...services.map((each): string => each.service),
      ...accessories.map((each): string => each.name),
    ]),
  );
  if (names.has(service) || names.size === 0) return;
  process.stderr.write(`${style.warn("!")} nothing is called ${service} now; there are: ${[...names].join(", ")}\n`);
}

function logText(line: LogLine): string {
  const source = `${line.service} ${line.instance.replace(/^rev_[^-]+-/, "")}`;
  const said = harmlessLine(line.text);
  const text = line.stream === "stderr" ? style.warn(said) : line.stream === "slipway" ? style.accent(said) : said;
  return `${style.quiet(clockTime(line.at))} ${style.accent(source)} ${text}`;
}
