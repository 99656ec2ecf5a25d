import { z } from "zod";
import { cidr, headerValue, listenText, origin, token, urlPath } from "./http-values.ts";
import { named, optional, overriding, required } from "./key.ts";
import { choice, duration, flag, size, wholeNumber } from "./values.ts";

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

export const edgeDefaults = {
  listen: ":8080",
  bodyLimit: "10MB",
  // Safe for every site: each can be set otherwise or turned off, and a service's own header wins.
  headers: {
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "strict-origin-when-cross-origin",
  },
  corsMethods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
  corsHeaders: ["content-type", "authorization"],
  corsCredentials: false,
  corsMaxAge: "10m",
} as const;

const corsShape = {
  origins: required(z.array(origin()).min(1), {
    meaning: "Web origins that may ask; * is every one, without credentials.",
    example: ["https://app.example.org"],
    allowed: 'a list such as ["https://app.example.org"]',
  }),
  methods: optional(z.array(choice(methods)).min(1), {
    meaning: "Methods they may use.",
    default: edgeDefaults.corsMethods,
    example: ["GET", "POST"],
  }),
  headers: optional(z.array(token("header name", "x-request-id")), {
    meaning: "Request headers they may send.",
    default: edgeDefaults.corsHeaders,
    example: ["content-type", "x-csrf-token"],
  }),
  credentials: optional(flag(), {
    meaning: "Whether cookies and authorization may come with the request.",
    default: edgeDefaults.corsCredentials,
    example: true,
  }),
  maxAge: optional(duration({ max: "1d" }), {
    meaning: "How long a browser may remember the answer to its preflight request.",
    default: edgeDefaults.corsMaxAge,
    example: "1h",
  }),
};

const rateLimitShape = {
  requests: required(wholeNumber({ min: 1, max: 1_000_000 }), {
    meaning: "Requests a client IP may make in the time of per; more are answered 429.",
    example: 100,
  }),
  per: required(duration({ min: "1s", max: "1d" }), {
    meaning: "The time the requests are counted over.",
    example: "1m",
  }),
};

const allowListSchema = named(
  "AllowListInput",
  "Paths that only some clients may reach.",
  z.strictObject({
    path: required(urlPath(), {
      meaning: "Prefix of the paths it guards, decoded and normalised before the match.",
      example: "/admin",
    }),
    allow: required(z.array(cidr()), {
      meaning: "Client addresses and ranges that may; all others are answered 403.",
      example: ["10.0.0.0/8", "192.0.2.7"],
      allowed: 'a list such as ["10.0.0.0/8"]',
    }),
  }),
);

const stickySchema = z.union([
  named(
    "StickyCookie",
    "Kept by a cookie.",
    z.strictObject({
      cookie: required(token("cookie name", "slipway"), {
        meaning: "Name of the cookie; the edge makes it when it is missing.",
        example: "slipway",
      }),
    }),
  ),
  named(
    "StickyHeader",
    "Kept by a header of the request.",
    z.strictObject({
      header: required(token("header name", "x-user-id"), {
        meaning: "Name of the request header that says who it is.",
        example: "x-user-id",
      }),
    }),
  ),
  z.literal(false),
]);

const headerName = token("header name", "x-frame-options");
const headerSetting = z.union([headerValue(), z.literal(false)]);

const edgeShape = {
  listen: optional(z.union([listenText(), wholeNumber({ min: 0, max: 65_535 })]), {
    meaning:
      'Where the edge listens: ":8080" on every IPv4 address, "127.0.0.1:8080", "[::]:8080", or a port alone. Port 0 takes a free one.',
    default: edgeDefaults.listen,
    example: "127.0.0.1:8080",
    allowed: '":8080", "127.0.0.1:8080" or 8080',
  }),
  trustedProxies: optional(z.array(cidr()), {
    meaning: "Addresses and ranges of proxies whose X-Forwarded-For and -Proto and trace headers are believed.",
    default: [],
    example: ["10.0.0.0/8"],
    allowed: 'a list such as ["10.0.0.0/8"]',
  }),
  redirectToHttps: optional(flag(), {
    meaning: "Sends plain HTTP to https with 308. Needs a trusted proxy in front that says which one it was.",
    default: false,
    example: true,
  }),
  redirectWww: optional(flag(), {
    meaning: "Sends www.<host> to <host> with 301, for every host in a route.",
    default: false,
    example: true,
  }),
  headers: optional(z.record(headerName, headerSetting), {
    meaning: "Headers set on every answer unless the service set them itself; false takes one of the defaults away.",
    default: edgeDefaults.headers,
    example: { "strict-transport-security": "max-age=31536000", "x-frame-options": false },
    allowed: 'names and texts, such as { "x-frame-options": "DENY" }',
  }),
  cors: optional(
    z.union([named("CorsInput", "Which other web origins may ask.", z.strictObject(corsShape)), z.literal(false)]),
    {
      meaning: "Which other web origins may ask from a browser; false, and no CORS header is set.",
      default: false,
      example: { origins: ["https://app.example.org"], credentials: true },
      allowed: 'an object such as { origins: ["https://app.example.org"] }, or false',
    },
  ),
  allowLists: optional(z.array(allowListSchema).max(100), {
    meaning: "Paths that only some client addresses may reach.",
    default: [],
    example: [{ path: "/admin", allow: ["10.0.0.0/8"] }],
    allowed: 'a list such as [{ path: "/admin", allow: ["10.0.0.0/8"] }]',
  }),
  rateLimit: optional(
    z.union([
      named("RateLimitInput", "How much one client may ask.", z.strictObject(rateLimitShape)),
      z.literal(false),
    ]),
    {
      meaning: "How many requests one client IP may make; false, and there is no limit.",
      default: false,
      example: { requests: 100, per: "1m" },
      allowed: 'an object such as { requests: 100, per: "1m" }, or false',
    },
  ),
  bodyLimit: optional(size({ minBytes: 0 }), {
    meaning: "Largest body of a request; a larger one is answered 413.",
    default: edgeDefaults.bodyLimit,
    example: "50MB",
  }),
  sticky: optional(stickySchema, {
    meaning:
      "By what a client is kept on one release while two have traffic: a cookie, a request header, or false for each request anew. An environment's value replaces the product's as a whole.",
    default: false,
    example: { cookie: "slipway" },
    allowed: '{ cookie: "<name>" }, { header: "<name>" } or false',
  }),
  maintenance: optional(flag(), {
    meaning: "Answers every request with a maintenance page and 503.",
    default: false,
    example: true,
  }),
};

export const edgeSchema = named("EdgeInput", "How requests come in.", z.strictObject(edgeShape));

export const edgeOverrideSchema = named(
  "EdgeOverride",
  "The edge, as far as it is different here.",
  z.strictObject({
    ...overriding(edgeShape),
    headers: overriding({
      headers: optional(z.record(headerName, headerSetting.nullable()), {
        meaning: "Headers added or changed here; false is not set at all, null goes back to the default.",
        example: { "x-robots-tag": "noindex" },
        allowed: 'names and texts, such as { "x-frame-options": "DENY" }',
      }),
    }).headers,
    cors: overriding({
      cors: optional(
        z.union([
          named("CorsOverride", "CORS, as far as it is different here.", z.strictObject(overriding(corsShape))),
          z.literal(false),
        ]),
        {
          meaning: "Which other web origins may ask from a browser; false, and no CORS header is set.",
          example: { origins: ["https://staging.example.org"] },
          allowed: 'an object such as { origins: ["https://app.example.org"] }, or false',
        },
      ),
    }).cors,
    rateLimit: overriding({
      rateLimit: optional(
        z.union([
          named(
            "RateLimitOverride",
            "The limit, as far as it is different here.",
            z.strictObject(overriding(rateLimitShape)),
          ),
          z.literal(false),
        ]),
        {
          meaning: "How many requests one client IP may make; false, and there is no limit.",
          example: { requests: 1000 },
          allowed: 'an object such as { requests: 100, per: "1m" }, or false',
        },
      ),
    }).rateLimit,
  }),
);
