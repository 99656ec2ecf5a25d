import { SlipwayError } from "../../core/errors/error.ts";
import type { ExecResult, LogLine } from "../../ports/target.ts";
import { type GlobalOptions, knownEnvironment, status, withRunning, withSession } from "../session.ts";
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

export type ExecOptions = GlobalOptions & { readonly env: string; readonly service: string };

/** Runs a command beside a running instance, with its directory and environment; its exit code is ours. */
export function exec(command: readonly string[], options: ExecOptions): Promise<number> {
  return withSession(options, async (session) => {
    const { environments } = await status(session);
    const services = environments.find((each) => each.name === options.env)?.services ?? [];
    const revisions = services.find((each) => each.service === options.service)?.revisions ?? [];
    const instance = revisions
      .toSorted((a, b) => (b.weight ?? 0) - (a.weight ?? 0))
      .flatMap((revision) => revision.instances)
      .find((each) => each.state === "running");
    if (instance === undefined) {
      throw new SlipwayError("INSTANCE_NOT_FOUND", {
        message: `no instance of ${options.service} runs in ${options.env}`,
      });
    }
    const result = await session.client.post<ExecResult>("/v1/exec", { instance: instance.id, command });
    session.out.json(result);
    if (session.out.mode !== "json") {
      process.stdout.write(result.stdout);
      process.stderr.write(result.stderr);
    }
    return result.code;
  });
}
