import { randomBytes } from "node:crypto";
import { isSlipwayError, type SlipwayError } from "../../core/errors/error.ts";
import type { Output } from "../output.ts";

/** How a CI's log is structured; plain lines where it is not. */
export type Annotator = {
  /** Everything that is said meanwhile is below this title, and nothing of it is a command to the CI. */
  within<T>(title: string, work: () => Promise<T>): Promise<T>;
  error(title: string, message: string): void;
};

/** GitHub reads commands in the log; elsewhere a title is a line. */
export function annotator(out: Output, ci: string): Annotator {
  if (ci !== "github" || out.mode === "json")
    return {
      within: async (title, work) => {
        out.line(title);
        return work();
      },
      error: () => {},
    };
  return {
    within: async (title, work) => {
      // What steps print may look like a command: until this word none is taken.
      const word = randomBytes(16).toString("hex");
      out.line(`::group::${data(title)}`);
      out.line(`::stop-commands::${word}`);
      try {
        return await work();
      } finally {
        out.line(`::${word}::`);
        out.line("::endgroup::");
      }
    },
    error: (title, message) => out.line(`::error title=${property(title)}::${data(message)}`),
  };
}

/** An error as GitHub shows it beside the job. */
export function annotateError(annotate: Annotator, error: unknown): void {
  if (!isSlipwayError(error)) return;
  annotate.error(error.code, textOf(error));
}

function textOf({ message, evidence, hint }: SlipwayError): string {
  return [message, ...evidence.map(([label, text]) => `${label}: ${text}`), hint].join("\n");
}

/** Source: github.com/actions/toolkit, packages/core/src/command.ts, 2026-11. */
const data = (text: string): string => text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
const property = (text: string): string => data(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
