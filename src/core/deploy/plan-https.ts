import { redirectsToHttps } from "../product/https.ts";
import type { EdgeSpec, EnvironmentSpec, HstsSpec, ServiceSpec } from "../product/spec.ts";
import { formatDuration } from "../product/units.ts";

type Seen = Pick<EnvironmentSpec, "edge" | "services">;

/** What changes for those who come by plain HTTP, or can never again. Null before: nothing is live. */
export function httpsWarnings(after: Seen, before: Seen | null): readonly string[] {
  const plain = before === null ? [] : hostsOf(before, false);
  const sent = hostsOf(after, true).filter((host) => plain.includes(host));
  return [
    ...(sent.length === 0
      ? []
      : [
          `plain HTTP to ${sent.join(", ")} is sent to https from now on; edge.redirectToHttps: false serves it as before`,
        ]),
    ...lastingWords(after.edge, before?.edge ?? null),
  ];
}

/** Hosts of routes whose plain HTTP is sent on, or is not. */
function hostsOf({ edge, services }: Seen, isSent: boolean): readonly string[] {
  const all = Object.values<ServiceSpec>(services).flatMap(({ routes }) => routes.flatMap(({ host }) => host ?? []));
  return [...new Set(all)].filter((host) => redirectsToHttps(edge, host) === isSent);
}

/** What browsers will remember longer than any release lives: said before it is said to them. */
function lastingWords(after: Pick<EdgeSpec, "hsts">, before: Pick<EdgeSpec, "hsts"> | null): readonly string[] {
  const [now, was] = [after.hsts ?? nothing, before?.hsts ?? nothing];
  const until = (maxAgeS: number): string => formatDuration(maxAgeS * 1_000);
  if (was.maxAgeS > 0 && after.hsts === undefined)
    return [
      `edge.hsts is left out, and whoever came by https goes on refusing plain HTTP for up to ${until(was.maxAgeS)}; { maxAge: "0s" } makes them forget`,
    ];
  if (now.maxAgeS === 0 || !says(now, was)) return [];
  const names = now.includeSubDomains ? "these hosts and every name below them" : "these hosts";
  const listed = now.preload ? "; once a list of preloaded hosts has them, it takes months to get off it" : "";
  return [
    `edge.hsts cannot be taken back: whoever comes by https refuses plain HTTP to ${names} for ${until(now.maxAgeS)} from then on, also after a rollback${listed}`,
  ];
}

const nothing: HstsSpec = { maxAgeS: 0, includeSubDomains: false, preload: false };

/** Whether anything is promised that was not before. */
function says(now: HstsSpec, was: HstsSpec): boolean {
  return (
    now.maxAgeS > was.maxAgeS || (now.includeSubDomains && !was.includeSubDomains) || (now.preload && !was.preload)
  );
}
