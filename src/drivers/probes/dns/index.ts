import { Resolver } from "node:dns/promises";
import type { Gauge, Outcome } from "../../../ports/gauge.ts";

export type DnsOptions = {
  readonly name: string;
  readonly type: "A" | "AAAA" | "CNAME" | "MX" | "TXT" | "NS";
  /** `address` or `address:port`; null asks the system's. */
  readonly server: string | null;
  /** One of the answers must be this; null: any answer. */
  readonly answer: string | null;
};

const shownAnswers = 5;

/** Passes when a name has a record, or the one that is wanted. */
export function dnsProbe({ name, type, server, answer }: DnsOptions): Gauge {
  return {
    read: async (signal) => {
      const resolver = new Resolver({ tries: 2 });
      if (server !== null) resolver.setServers([server]);
      const cancel = (): void => resolver.cancel();
      signal.addEventListener("abort", cancel, { once: true });
      try {
        return judge(await recordsOf(resolver, name, type), { name, type, answer });
      } catch (error) {
        signal.throwIfAborted();
        return failed(error as NodeJS.ErrnoException, name);
      } finally {
        signal.removeEventListener("abort", cancel);
      }
    },
  };
}

function judge(records: readonly string[], wanted: Pick<DnsOptions, "name" | "type" | "answer">): Outcome {
  const shown = records.slice(0, shownAnswers).join(", ");
  const saw = records.length > shownAnswers ? `${shown} and ${records.length - shownAnswers} more` : shown;
  if (records.length === 0) return { is: "fail", saw: `${wanted.name} has no ${wanted.type} record` };
  if (wanted.answer === null || records.includes(wanted.answer)) return { is: "pass", saw };
  return { is: "fail", saw: `${saw}; ${wanted.answer} was wanted` };
}

async function recordsOf(resolver: Resolver, name: string, type: DnsOptions["type"]): Promise<readonly string[]> {
  switch (type) {
    case "A":
      return resolver.resolve4(name);
    case "AAAA":
      return resolver.resolve6(name);
    case "CNAME":
      return resolver.resolveCname(name);
    case "NS":
      return resolver.resolveNs(name);
    case "MX":
      return (await resolver.resolveMx(name)).map(({ exchange, priority }) => `${priority} ${exchange}`);
    case "TXT":
      return (await resolver.resolveTxt(name)).map((parts) => parts.join(""));
  }
}

/** That there is no such record is an answer; that nobody answered says nothing about the record. */
function failed({ code, message }: NodeJS.ErrnoException, name: string): Outcome {
  switch (code) {
    case "ENOTFOUND":
      return { is: "fail", saw: `there is no ${name}` };
    case "ENODATA":
      return { is: "fail", saw: `${name} has no such record` };
    default:
      return { is: "unknown", saw: `the name server did not answer (${code ?? message})` };
  }
}
