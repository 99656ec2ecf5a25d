import { z } from "zod";
import { parseDatabaseUrl, parseHostPort } from "./endpoints.ts";
import { named, optional, required } from "./key.ts";
import {
  checkedText,
  choice,
  command,
  duration,
  environmentVariable,
  flag,
  jsonShape,
  name,
  notA,
  text,
  wholeNumber,
} from "./values.ts";

/** A thousand probes each half a minute are 33 a second: what one control plane does without being noticed. */
export const probeDefaults = {
  every: "30s",
  timeout: "5s",
  uptime: true,
  method: "GET",
  recordType: "A",
  days: 14,
  prefix: "bull",
  oldest: "last",
  statistic: "Average",
  period: "1m",
} as const;

function httpUrl(): z.ZodType<string, string> {
  const allowed = "an http or https URL without a password, such as https://shop.example.com/up";
  return checkedText({ type: "string", allowed }, (seen) => {
    const url = URL.canParse(seen) ? new URL(seen) : null;
    const isGood = url !== null && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "";
    return isGood ? null : notA(url?.password ? "…" : seen, "URL that can be asked", allowed);
  });
}

/** `db.internal:5432`. */
function hostPortText(): z.ZodType<string, string> {
  const allowed = "a host and a port, such as db.internal:5432";
  return checkedText({ type: "string", allowed }, (seen) =>
    parseHostPort(seen) === null ? notA(seen, "host and port", allowed) : null,
  );
}

/** Never shown when it may have a password in it. */
function databaseUrl(scheme: string): z.ZodType<string, string> {
  const allowed = `a URL such as ${scheme}://db.internal/shop, without a password; with one, put it into a variable and name that in urlFrom`;
  return checkedText({ type: "string", allowed }, (seen) =>
    parseDatabaseUrl(seen) === null ? `not a URL that may be in this file; use ${allowed}` : null,
  );
}

const variable = (what: string) => ({
  meaning: `The variable of the control plane's environment that holds ${what}.`,
  default: "(none)",
});

const headers = optional(z.record(z.string(), text()), {
  meaning: "Headers of the request. Not for secrets: this file is in git.",
  default: {},
  example: { accept: "application/json" },
  allowed: 'names and texts, such as { accept: "application/json" }',
});

const headersFrom = optional(z.record(z.string(), environmentVariable()), {
  meaning: "Headers whose values are secrets: for each, the variable of the control plane's environment that holds it.",
  default: {},
  example: { authorization: "STATUS_TOKEN" },
  allowed: 'names and variables, such as { authorization: "STATUS_TOKEN" }',
});

const place = (scheme: string) => ({
  url: optional(databaseUrl(scheme), {
    meaning: "Where it is.",
    default: "(none)",
    example: `${scheme}://db.internal/shop`,
  }),
  urlFrom: optional(environmentVariable(), { ...variable("its URL, password included"), example: "DATABASE_URL" }),
});

const databaseSchema = (type: string, scheme: string, meaning: string) =>
  named(type, meaning, z.strictObject(place(scheme)));

const endpointSchema = named(
  "EndpointInput",
  "A URL that is asked as a user would.",
  z.strictObject({
    url: required(httpUrl(), {
      meaning: "What is asked. Redirects are not followed.",
      example: "https://shop.example.com/up",
    }),
    method: optional(choice(["GET", "HEAD"]), {
      meaning: "How it is asked.",
      default: probeDefaults.method,
      example: "HEAD",
    }),
    status: optional(
      z.union([wholeNumber({ min: 100, max: 599 }), z.array(wholeNumber({ min: 100, max: 599 })).min(1)]),
      {
        meaning: "HTTP status, or statuses, that pass.",
        default: "(any 2xx)",
        example: [200, 204],
        allowed: "a status such as 200, or a list such as [200, 204]",
      },
    ),
    body: optional(z.union([text(), jsonShape()]), {
      meaning: "What the answer must contain: a text, or JSON whose keys must be there with these values.",
      default: "(any body)",
      example: { status: "healthy" },
      allowed: 'a text such as "ok", or JSON such as { "status": "healthy" }',
    }),
    within: optional(duration({ min: "1ms", max: "10m" }), {
      meaning: "The answer must begin by then, connecting included.",
      default: "(the probe's timeout)",
      example: "800ms",
    }),
    headers,
    headersFrom,
  }),
);

const queueSchema = named(
  "QueueInput",
  "A queue in a Redis: how many jobs wait, and since when.",
  z.strictObject({
    ...place("redis"),
    bullmq: optional(text(), { meaning: "Name of a queue of BullMQ.", default: "(none)", example: "mails" }),
    prefix: optional(text(), { meaning: "BullMQ's prefix of keys.", default: probeDefaults.prefix, example: "jobs" }),
    list: optional(text(), { meaning: "Key of a list of jobs.", default: "(none)", example: "jobs" }),
    oldest: optional(choice(["first", "last"]), {
      meaning: "At which end of the list the next job is taken: last when they are put there by LPUSH, first by RPUSH.",
      default: probeDefaults.oldest,
      example: "first",
    }),
    time: optional(text(), {
      meaning:
        "Key in the job's JSON that says when it was put there, as milliseconds, seconds or an ISO date. Without it a list has a depth and no delay.",
      default: "(none)",
      example: "enqueuedAt",
    }),
    stream: optional(text(), { meaning: "Key of a stream.", default: "(none)", example: "events" }),
    group: optional(text(), { meaning: "The stream's group of consumers.", default: "(none)", example: "workers" }),
  }),
);

const common = {
  service: optional(name("service"), {
    meaning: "The service that it is about.",
    default: "(the environment as a whole)",
    example: "api",
  }),
  every: optional(duration({ min: "1s", max: "1d" }), {
    meaning: "How often it is measured.",
    default: probeDefaults.every,
    example: "10s",
  }),
  timeout: optional(duration({ min: "50ms", max: "10m" }), {
    meaning: "What has no answer by then has none.",
    default: probeDefaults.timeout,
    example: "2s",
  }),
  command: optional(command(), {
    meaning:
      "Argument array that is run on the control plane's machine, with PATH and what `variables` names. It passes with exit code 0; of a metric its last line is the number.",
    default: "(none)",
    example: ["check-stock", "--json"],
  }),
  variables: optional(z.array(environmentVariable()), {
    meaning: "Variables of the control plane's environment that the command is given.",
    default: [],
    example: ["PGPASSWORD"],
    allowed: 'names of variables, such as ["PGPASSWORD"]',
  }),
};

export const probeSchema = named(
  "ProbeInput",
  "Something that is looked at again and again, and passes or fails: one kind of it.",
  z.strictObject({
    http: optional(endpointSchema, {
      meaning: "Asks a URL.",
      default: "(none)",
      example: { url: "https://shop.example.com/up", within: "800ms" },
    }),
    tcp: optional(hostPortText(), { meaning: "Connects.", default: "(none)", example: "mail.internal:25" }),
    dns: optional(
      named(
        "DnsInput",
        "A name that is looked up.",
        z.strictObject({
          name: required(text(), { meaning: "What is looked up.", example: "shop.example.com" }),
          type: optional(choice(["A", "AAAA", "CNAME", "MX", "TXT", "NS"]), {
            meaning: "Kind of record.",
            default: probeDefaults.recordType,
            example: "CNAME",
          }),
          server: optional(text(), {
            meaning: "Address of the name server, with a port where that is another than 53.",
            default: "(the system's)",
            example: "1.1.1.1",
          }),
          answer: optional(text(), {
            meaning: "One of the answers must be this.",
            default: "(any answer)",
            example: "203.0.113.7",
          }),
        }),
      ),
      { meaning: "Looks up a name.", default: "(none)", example: { name: "shop.example.com", answer: "203.0.113.7" } },
    ),
    tls: optional(
      named(
        "ShownCertificateInput",
        "A certificate that somebody shows.",
        z.strictObject({
          address: required(hostPortText(), { meaning: "Who is asked for it.", example: "shop.example.com:443" }),
          servername: optional(text(), {
            meaning: "The name it must be for.",
            default: "(the host of the address)",
            example: "shop.example.com",
          }),
          days: optional(wholeNumber({ min: 0, max: 3650 }), {
            meaning: "It fails when the certificate ends within so many days.",
            default: probeDefaults.days,
            example: 21,
          }),
        }),
      ),
      { meaning: "Looks at a certificate.", default: "(none)", example: { address: "shop.example.com:443" } },
    ),
    postgres: optional(databaseSchema("PostgresInput", "postgres", "A PostgreSQL."), {
      meaning: "Logs in and asks SELECT 1.",
      default: "(none)",
      example: { urlFrom: "DATABASE_URL" },
    }),
    mysql: optional(databaseSchema("MysqlInput", "mysql", "A MySQL or MariaDB."), {
      meaning: "Logs in and pings.",
      default: "(none)",
      example: { urlFrom: "MYSQL_URL" },
    }),
    mongodb: optional(databaseSchema("MongoInput", "mongodb", "A MongoDB."), {
      meaning: "Pings, and looks whether it takes writes. Needs no login, and sends none.",
      default: "(none)",
      example: { url: "mongodb://db.internal:27017" },
    }),
    redis: optional(databaseSchema("RedisInput", "redis", "A Redis."), {
      meaning: "Logs in and pings.",
      default: "(none)",
      example: { urlFrom: "REDIS_URL" },
    }),
    queue: optional(queueSchema, {
      meaning: "Measures queue delay and queue depth. It passes when they could be read.",
      default: "(none)",
      example: { urlFrom: "REDIS_URL", bullmq: "mails" },
    }),
    ...common,
    uptime: optional(flag(), {
      meaning: "Whether its service, or the environment, counts as down while it fails. A queue never counts.",
      default: probeDefaults.uptime,
      example: false,
    }),
  }),
);

export const metricSchema = named(
  "MetricInput",
  "A number from elsewhere, measured again and again: one kind of it.",
  z.strictObject({
    prometheus: optional(
      named(
        "PrometheusInput",
        "A query to a Prometheus.",
        z.strictObject({
          url: required(httpUrl(), {
            meaning: "The server, without /api/v1.",
            example: "http://prometheus.internal:9090",
          }),
          query: required(text(), {
            meaning: "PromQL that gives one number.",
            example: 'sum(rate(orders_total{env="production"}[5m]))',
          }),
          headersFrom,
        }),
      ),
      {
        meaning: "Asks a Prometheus. A query that gives nothing, NaN or several numbers leaves the metric unknown.",
        default: "(none)",
        example: { url: "http://prometheus.internal:9090", query: "sum(rate(orders_total[5m]))" },
      },
    ),
    cloudwatch: optional(
      named(
        "CloudWatchInput",
        "A metric of Amazon CloudWatch.",
        z.strictObject({
          region: required(text(), { meaning: "AWS region.", example: "eu-central-1" }),
          namespace: required(text(), { meaning: "Namespace of the metric.", example: "AWS/RDS" }),
          metric: required(text(), { meaning: "Name of the metric.", example: "CPUUtilization" }),
          dimensions: optional(z.record(z.string(), text()), {
            meaning: "Which of them.",
            default: {},
            example: { DBInstanceIdentifier: "shop" },
            allowed: 'names and values, such as { DBInstanceIdentifier: "shop" }',
          }),
          statistic: optional(text(), {
            meaning: "Average, Sum, Maximum, Minimum, SampleCount, or a percentile such as p95.",
            default: probeDefaults.statistic,
            example: "p95",
          }),
          period: optional(duration({ min: "1s", max: "1d" }), {
            meaning: "Over which time it is taken.",
            default: probeDefaults.period,
            example: "5m",
          }),
        }),
      ),
      {
        meaning:
          "Asks CloudWatch, with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN of the control plane's environment.",
        default: "(none)",
        example: { region: "eu-central-1", namespace: "AWS/RDS", metric: "CPUUtilization" },
      },
    ),
    json: optional(
      named(
        "JsonInput",
        "A number in the JSON that a URL answers.",
        z.strictObject({
          url: required(httpUrl(), { meaning: "What is asked.", example: "https://api.example.com/stats" }),
          path: required(text(), { meaning: "Where in the JSON it is.", example: "data.queues[0].length" }),
          headers,
          headersFrom,
        }),
      ),
      {
        meaning: "Asks a URL for JSON. Truths are 1 and 0.",
        default: "(none)",
        example: { url: "https://api.example.com/stats", path: "orders.open" },
      },
    ),
    ...common,
    unit: optional(choice(["none", "count", "ratio", "ms", "bytes", "per second", "days"]), {
      meaning: "What the number is of, for whoever reads it.",
      default: "none",
      example: "ms",
    }),
  }),
);
