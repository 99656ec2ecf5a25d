import { z } from "zod";
import { defaultHealing } from "../recover/healing.ts";
import { urlPath } from "./http-values.ts";
import { named, optional } from "./key.ts";
import { formatDuration } from "./units.ts";
import { duration, jsonShape, text, wholeNumber } from "./values.ts";

/**
 * Where they come from: interval 1 s, timeout 5 s as in kamal-proxy (a probe a second costs nothing, and a lost instance
 * is known after three); three failures in a row as Docker and Kubernetes; a minute until the first healthy answer as
 * Heroku's boot limit, because failing early on a slow cold start refuses a good release, and failing late costs nothing
 * while the stable one serves. What does not listen shows nothing but that it stays up: 5 s, near Kamal's readiness
 * delay of 7 s. Jobs have ten minutes, the time of a long migration. Ten seconds of an unhealthy instance until its first restart
 * is Kubernetes' default of three failures at its period of 10 s, less the first period; three restarts in ten minutes are our choice.
 */
export const healthDefaults = {
  path: "/",
  interval: "1s",
  timeout: "5s",
  retries: 3,
  startPeriod: "0s",
  startPeriodWithoutPath: "5s",
  deadline: "1m",
  deadlineOfJob: "10m",
  restarts: defaultHealing.limit,
  restartAfter: formatDuration(defaultHealing.afterMs),
  restartWithin: formatDuration(defaultHealing.withinMs),
} as const;

/** For a service that did not name its health path: the front page may send people to a login. */
export const frontPageStatuses: readonly number[] = [200, 204, 301, 302, 303, 307, 308];

const status = wholeNumber({ min: 100, max: 599 });

export const healthShape = {
  path: optional(urlPath(), {
    meaning:
      "Path that is asked by GET to see whether an instance is healthy. Only for web and static services; a worker is healthy when it has run for startPeriod without an exit, a job when it has ended with exit code 0.",
    default: healthDefaults.path,
    example: "/up",
  }),
  status: optional(z.union([status, z.array(status).min(1)]), {
    meaning:
      "HTTP status, or statuses, that count as healthy. Redirects are not followed. When path is left out, a redirect counts too, since a front page may send people to a login.",
    default: "(any 2xx)",
    example: [200, 204],
    allowed: "a status such as 200, or a list such as [200, 204]",
  }),
  body: optional(z.union([text(), jsonShape()]), {
    meaning:
      "What the answer must contain: a text that must occur in it, or JSON whose keys must be there with these values, at any depth; other keys are allowed. An environment's value replaces the product's as a whole.",
    default: "(any body)",
    example: { status: "healthy", database: "connected" },
    allowed: 'a text such as "ok", or JSON such as { "status": "healthy" }',
  }),
  interval: optional(duration({ min: "100ms", max: "1h" }), {
    meaning: "Time from one probe of an instance to the next.",
    default: healthDefaults.interval,
    example: "2s",
  }),
  timeout: optional(duration({ min: "50ms", max: "10m" }), {
    meaning: "A probe that has no complete answer by then has failed.",
    default: healthDefaults.timeout,
    example: "3s",
  }),
  retries: optional(wholeNumber({ min: 1, max: 100 }), {
    meaning: "Failed probes in a row, after the first success, until an instance counts as unhealthy.",
    default: healthDefaults.retries,
    example: 5,
  }),
  startPeriod: optional(duration({ max: "1h" }), {
    meaning:
      "Grace after the start of an instance in which a failed probe does not count. For a worker: how long it must have run without an exit to be healthy.",
    default: "(0s; 5s for a worker)",
    example: "10s",
  }),
  deadline: optional(duration({ min: "100ms", max: "1d" }), {
    meaning:
      "All instances must have been healthy once by then, or the deployment fails and nothing is switched. A job must have ended with exit code 0 by then.",
    default: "(1m; 10m for a job)",
    example: "2m",
  }),
  restarts: optional(wholeNumber({ min: 0, max: 20 }), {
    meaning:
      "How often an instance that is unhealthy is restarted within restartWithin. After that its release is taken back while a deployment watches it without a rule on health, else everybody is told. 0 restarts none.",
    default: healthDefaults.restarts,
    example: 0,
  }),
  restartAfter: optional(duration({ min: "100ms", max: "1h" }), {
    meaning:
      "How long an instance is unhealthy before it is restarted. Doubles with each restart within restartWithin.",
    default: healthDefaults.restartAfter,
    example: "1m",
  }),
  restartWithin: optional(duration({ min: "1s", max: "1d" }), {
    meaning: "Time in which restarts are counted.",
    default: healthDefaults.restartWithin,
    example: "30m",
  }),
};

export const healthSchema = named(
  "HealthInput",
  "How one knows that a service is healthy.",
  z.strictObject(healthShape),
);
