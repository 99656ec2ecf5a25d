import { runCommand } from "../../../lib/run-command.ts";
import type { Gauge, Outcome } from "../../../ports/gauge.ts";

export type CommandOptions = {
  /** Argument array; never a shell. */
  readonly command: readonly string[];
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Its last line is a number, the `value` of a declared metric. */
  readonly number: boolean;
};

const shownChars = 200;

/** Passes when the command ends with 0. It and all that it started end with the probe. */
export function commandProbe({ number, command, ...options }: CommandOptions): Gauge {
  return {
    read: async (signal) => {
      let last = "";
      const onLine = (line: string): void => {
        if (line.trim() !== "") last = line.trim();
      };
      const result = await runCommand(command, { ...options, onLine, signal });
      signal.throwIfAborted();
      const said = last.length > shownChars ? `${last.slice(0, shownChars)}…` : last;
      switch (result.is) {
        case "exited":
          if (result.code !== 0)
            return {
              is: number ? "unknown" : "fail",
              saw: `exit code ${result.code}${said === "" ? "" : `: ${said}`}`,
            };
          return number ? numberIn(said) : { is: "pass", saw: said === "" ? "exit code 0" : said };
        case "killed":
          return { is: number ? "unknown" : "fail", saw: `killed by ${result.by}` };
        case "timed-out":
          return { is: number ? "unknown" : "fail", saw: `it did not end within ${result.afterMs} ms` };
        case "not-started":
          return { is: "unknown", saw: `it could not be started: ${result.why}` };
      }
    },
  };
}

function numberIn(line: string): Outcome {
  const value = line === "" ? Number.NaN : Number(line);
  if (!Number.isFinite(value)) return { is: "unknown", saw: `its last line is no number: ${JSON.stringify(line)}` };
  return { is: "pass", saw: line, values: { value } };
}
