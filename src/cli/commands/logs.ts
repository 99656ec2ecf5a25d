import { SlipwayError } from "../../core/errors/error.ts";
import type { LogLine } from "../../ports/target.ts";
import { type GlobalOptions, knownEnvironment, withRunning } from "../session.ts";
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

function logText(line: LogLine): string {
  const source = `${line.service} ${line.instance.replace(/^rev_[^-]+-/, "")}`;
  const text =
    line.stream === "stderr" ? style.warn(line.text) : line.stream === "slipway" ? style.accent(line.text) : line.text;
  return `${style.quiet(clockTime(line.at))} ${style.accent(source)} ${text}`;
}
