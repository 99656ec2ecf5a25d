import { SlipwayError } from "../../../core/errors/error.ts";
import { isCidr } from "../../../lib/ip.ts";
import type { EdgeConfig, Route, RoutedService, RouteTable } from "../../../ports/edge.ts";
import { buckets } from "./buckets.ts";
import { readHost } from "./host.ts";
import { readPath } from "./path.ts";

/**
 * Throws EDGE_REFUSED_TABLE with all problems when the table cannot be put in force after `before`: what is applied must
 * never fail half way at a worker. Nothing else refuses a table.
 */
export function checkTable(table: RouteTable, before: RouteTable | null, config: EdgeConfig | null): void {
  const problems = [...generationProblems(table, before), ...routeProblems(table, config), ...serviceProblems(table)];
  if (problems.length === 0) return;
  throw new SlipwayError("EDGE_REFUSED_TABLE", {
    message: `The edge refused route table ${table.generation}: ${problems[0]}`,
    evidence: problems.slice(0, maxProblems).map((problem) => ["problem", problem] as const),
  });
}

const maxProblems = 20;
/** Which of them a service sent itself is kept in the bits of one number. */
const maxPolicyHeaders = 30;

export function sameJson(left: unknown, right: unknown): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}

function* generationProblems(table: RouteTable, before: RouteTable | null): Generator<string> {
  if (!Number.isSafeInteger(table.generation) || table.generation < 0) yield "its generation is no whole number";
  if (before === null || table.generation > before.generation) return;
  if (table.generation < before.generation) yield `generation ${before.generation} is already in force`;
  else if (!sameJson(table, before)) yield "another table of the same generation is in force";
}

function* routeProblems(table: RouteTable, config: EdgeConfig | null): Generator<string> {
  const seen = new Set<string>();
  const listeners = new Set(config?.listeners.map((listener) => listener.name));
  for (const route of table.routes) {
    const name = `${route.listener} ${route.host ?? "*"}${route.pathPrefix}`;
    if (seen.has(name)) yield `two routes for ${name}`;
    seen.add(name);
    if (config !== null && !listeners.has(route.listener)) yield `${name}: there is no listener ${route.listener}`;
    if (!Object.hasOwn(table.services, route.service)) yield `${name}: there is no service ${route.service}`;
    if (route.host !== null && !isBareHost(route.host)) yield `${name}: the host is no lower-case host name`;
    if (!route.pathPrefix.startsWith("/") || readPath(route.pathPrefix)?.decision !== route.pathPrefix)
      yield `${name}: the path prefix is no normalised path`;
    for (const problem of policyProblems(route)) yield `${name}: ${problem}`;
  }
}

function* policyProblems({ policy }: Route): Generator<string> {
  for (const [from, to] of Object.entries(policy.redirectHosts))
    if (!isBareHost(from) || readHost(to) === null || from === to) yield `cannot redirect ${from} to ${to}`;
  if (Object.keys(policy.headers).length > maxPolicyHeaders) yield `more than ${maxPolicyHeaders} headers`;
  for (const [name, value] of Object.entries(policy.headers))
    if (!isHeader(name, value)) yield `${name} is no valid header, or its value is not`;
  if (policy.cors !== null)
    for (const text of [...policy.cors.origins, ...policy.cors.methods, ...policy.cors.headers])
      if (!isHeader("x", text)) yield `cors: ${JSON.stringify(text)} cannot be sent in a header`;
  for (const { prefix, allow } of policy.allowLists) {
    if (!prefix.startsWith("/")) yield `the allow-list's prefix ${prefix} does not start with /`;
    for (const cidr of allow) if (!isCidr(cidr)) yield `${cidr} is no CIDR`;
  }
  const { rateLimit, bodyBytes } = policy;
  if (rateLimit !== null && !(rateLimit.requests >= 1 && rateLimit.perMs >= 1)) yield "the rate limit is not positive";
  if (bodyBytes !== null && !(bodyBytes >= 0)) yield "the body limit is negative";
}

function* serviceProblems(table: RouteTable): Generator<string> {
  for (const [name, service] of Object.entries(table.services)) {
    const weights = service.targets.map((target) => target.weight);
    if (weights.some((weight) => !Number.isInteger(weight) || weight < 0 || weight > buckets))
      yield `${name}: a weight is not a whole number from 0 to ${buckets}`;
    const sum = weights.reduce((total, weight) => total + weight, 0);
    if (sum !== 0 && sum !== buckets) yield `${name}: its weights sum to ${sum}, not ${buckets}`;
    if (new Set(service.targets.map((target) => target.revision)).size !== weights.length)
      yield `${name}: a revision is listed twice`;
    for (const problem of targetProblems(service)) yield `${name}: ${problem}`;
  }
}

function* targetProblems({ targets, sticky, optIn }: RoutedService): Generator<string> {
  for (const { revision, instances } of targets) {
    for (const { address } of instances) if (!isAddress(address)) yield `${revision}: ${address} is no host:port`;
  }
  const name = sticky === null ? "x" : "cookie" in sticky ? sticky.cookie : sticky.header;
  if (!token.test(name)) yield `${JSON.stringify(name)} can be no cookie's or header's name`;
  if (optIn === undefined) return;
  const { candidate, stable } = optIn;
  for (const text of ["cookie" in optIn ? optIn.cookie : optIn.header, candidate, stable])
    if (!token.test(text)) yield `${JSON.stringify(text)} can be no cookie's or header's name or value`;
  if (candidate === stable) yield `${JSON.stringify(stable)} cannot mean both sides`;
}

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

function isHeader(name: string, value: string): boolean {
  return token.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
}

function isBareHost(text: string): boolean {
  const host = readHost(text);
  return host !== null && host.name === text && host.port === "";
}

function isAddress(text: string): boolean {
  const host = readHost(text);
  return host !== null && host.port !== "" && host.port !== ":0";
}
