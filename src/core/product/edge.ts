import { z } from "zod";
import {
  certificateName,
  cidr,
  headerValue,
  hostName,
  listenText,
  markText,
  origin,
  token,
  urlPath,
} from "./http-values.ts";
import { named, optional, overriding, required } from "./key.ts";
import { hostUrl } from "./mount-values.ts";
import { choice, duration, flag, size, text, wholeNumber } from "./values.ts";

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

export const edgeDefaults = {
  optInCandidate: "1",
  optInStable: "0",
  driver: "embedded",
  listen: ":8080",
  tlsListen: ":443",
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

const optInSchema = z.union([
  named(
    "OptInInput",
    "By what a client chooses its side: either a header or a cookie.",
    z.strictObject({
      header: optional(token("header name", "x-canary"), {
        meaning: "Name of the request header that says which side is wanted.",
        default: "(none: the cookie says it)",
        example: "x-canary",
      }),
      cookie: optional(token("cookie name", "canary"), {
        meaning: "Name of the cookie that says which side is wanted; services set it, the edge never does.",
        default: "(none: the header says it)",
        example: "canary",
      }),
      candidate: optional(markText(), {
        meaning: "The value with which a request goes to the candidate.",
        default: edgeDefaults.optInCandidate,
        example: "always",
      }),
      stable: optional(markText(), {
        meaning: "The value with which it goes to stable.",
        default: edgeDefaults.optInStable,
        example: "never",
      }),
    }),
  ),
  z.literal(false),
]);

const hstsMeaning = "For how long browsers come by https only, whatever is said to them meanwhile (RFC 6797).";

const hstsShape = {
  maxAge: required(duration({ max: "730d" }), {
    meaning:
      'How long a browser remembers it after each answer. Begin with a short one; "0s" makes those forget that come by https again.',
    example: "365d",
  }),
  includeSubDomains: optional(flag(), {
    meaning: "Whether it holds for every name below the host too, also those that somebody else serves.",
    default: false,
    example: true,
  }),
  preload: optional(flag(), {
    meaning:
      "Allows the host to be put on the lists that browsers come with (hstspreload.org), which takes months to undo. Needs includeSubDomains and a maxAge of at least 365d.",
    default: false,
    example: true,
  }),
};

const headerName = token("header name", "x-frame-options");
const headerSetting = z.union([headerValue(), z.literal(false)]);

const acmeShape = {
  email: optional(text(), {
    meaning: "Where the CA writes when something is wrong with a certificate.",
    default: "(nobody)",
    example: "ops@example.org",
  }),
  directory: optional(text(), {
    meaning: "The CA's ACME directory (RFC 8555).",
    default: "(Let's Encrypt)",
    example: "https://acme-staging-v02.api.letsencrypt.org/directory",
  }),
  ca: optional(text(), {
    meaning: "PEM file on the edge's machine with the CA that the ACME server itself is trusted by.",
    default: "(the system's)",
    example: "/etc/ssl/company-ca.pem",
  }),
};

const tlsShape = {
  listen: optional(z.union([listenText(), wholeNumber({ min: 1, max: 65_535 })]), {
    meaning: "Where the edge listens for TLS.",
    default: edgeDefaults.tlsListen,
    example: ":8443",
  }),
  certificates: optional(
    z
      .array(
        named(
          "CertificateInput",
          "A certificate with its key.",
          z.strictObject({
            cert: required(text(), {
              meaning:
                "PEM file with the certificate and its chain, on the edge's machine. Read again when it changes.",
              example: "/etc/ssl/example.org/fullchain.pem",
            }),
            key: required(text(), {
              meaning: "PEM file with its private key, readable only by the edge's user.",
              example: "/etc/ssl/example.org/key.pem",
            }),
            hosts: required(z.array(certificateName()).min(1), {
              meaning: "Names it is used for; *.example.org is every name right below example.org.",
              example: ["example.org", "www.example.org"],
              allowed: 'a list such as ["example.org"]',
            }),
          }),
        ),
      )
      .max(100),
    {
      meaning: "Certificates from files.",
      default: [],
      example: [{ cert: "/etc/ssl/fullchain.pem", key: "/etc/ssl/key.pem", hosts: ["example.org"] }],
      allowed: 'a list such as [{ cert: "/etc/ssl/fullchain.pem", key: "/etc/ssl/key.pem", hosts: ["example.org"] }]',
    },
  ),
  acme: optional(
    z.union([
      named("AcmeInput", "Certificates that the edge gets by itself.", z.strictObject(acmeShape)),
      z.literal(false),
    ]),
    {
      meaning:
        "Certificates that the edge gets and renews by itself for every host that a route names and no file covers; false, and it gets none.",
      default: {},
      example: { email: "ops@example.org" },
      allowed: 'an object such as { email: "ops@example.org" }, or false',
    },
  ),
  http2: optional(flag(), { meaning: "Whether HTTP/2 is spoken.", default: true, example: false }),
};

const edgeShape = {
  driver: optional(choice(["embedded", "caddy"]), {
    meaning:
      "What routes the traffic: embedded is Slipway's own, for development, private networks and small sites; caddy (2.8 or newer) is for the public internet.",
    default: edgeDefaults.driver,
    example: "caddy",
  }),
  server: optional(hostUrl(), {
    meaning: "For caddy: the machine it runs on, such as ssh://deploy@vm1.",
    default: "(this one)",
    example: "ssh://deploy@vm1",
  }),
  tls: optional(z.union([named("TlsInput", "How TLS is spoken.", z.strictObject(tlsShape)), z.literal(false)]), {
    meaning: "TLS beside plain HTTP; false, and there is none.",
    default: false,
    example: { acme: { email: "ops@example.org" } },
    allowed: 'an object such as {} or { acme: { email: "ops@example.org" } }, or false',
  }),

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
    meaning:
      "Sends plain HTTP to https with 308. By itself for every route that names a host which tls has a certificate for; true for all routes, also where a trusted proxy in front says which one it was; false for none.",
    default: "(true with tls, for hosts with a certificate)",
    example: false,
  }),
  redirectWww: optional(flag(), {
    meaning: "Sends www.<host> to <host> with 301, for every host in a route.",
    default: false,
    example: true,
  }),
  headers: optional(z.record(headerName, headerSetting), {
    meaning: "Headers set on every answer unless the service set them itself; false takes one of the defaults away.",
    default: edgeDefaults.headers,
    example: { "x-robots-tag": "noindex", "x-frame-options": false },
    allowed: 'names and texts, such as { "x-frame-options": "DENY" }',
  }),
  hsts: optional(z.union([named("HstsInput", hstsMeaning, z.strictObject(hstsShape)), z.literal(false)]), {
    meaning:
      "Tells browsers to come by https only (Strict-Transport-Security), on answers over TLS. It cannot be taken back before maxAge is over; false, and it is not said.",
    default: false,
    example: { maxAge: "30d" },
    allowed: 'an object such as { maxAge: "30d" }, or false',
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
  optIn: optional(optInSchema, {
    meaning:
      "A request header or cookie by which a client chooses its side while two releases share the requests, whatever the weights are: one value for the candidate, one for stable. Without it, and with any other value, the weights hold. An environment's value replaces the product's as a whole.",
    default: false,
    example: { header: "x-canary", candidate: "1", stable: "0" },
    allowed: '{ header: "<name>" }, { cookie: "<name>" }, each with values for candidate and stable, or false',
  }),
  address: optional(hostName(), {
    meaning:
      "The name or address at which services reach the edge themselves, for SLIPWAY_EDGE_URL. Needed where containers run on other machines than the edge and neither listen nor server says it.",
    default: "(that of listen, of server, or this machine)",
    example: "10.0.0.9",
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
    tls: overriding({
      tls: optional(
        z.union([
          named(
            "TlsOverride",
            "TLS, as far as it is different here.",
            z.strictObject({
              ...overriding(tlsShape),
              acme: overriding({
                acme: optional(
                  z.union([
                    named(
                      "AcmeOverride",
                      "ACME, as far as it is different here.",
                      z.strictObject(overriding(acmeShape)),
                    ),
                    z.literal(false),
                  ]),
                  {
                    meaning: "Certificates that the edge gets and renews by itself; false, and it gets none.",
                    example: { email: "ops@example.org" },
                    allowed: 'an object such as { email: "ops@example.org" }, or false',
                  },
                ),
              }).acme,
            }),
          ),
          z.literal(false),
        ]),
        {
          meaning: "TLS beside plain HTTP; false, and there is none.",
          example: { listen: ":8443" },
          allowed: 'an object such as { listen: ":8443" }, or false',
        },
      ),
    }).tls,
    hsts: overriding({
      hsts: optional(
        z.union([
          named("HstsOverride", "HSTS, as far as it is different here.", z.strictObject(overriding(hstsShape))),
          z.literal(false),
        ]),
        {
          meaning: "Tells browsers to come by https only; false, and it is not said.",
          example: { maxAge: "1d" },
          allowed: 'an object such as { maxAge: "30d" }, or false',
        },
      ),
    }).hsts,
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
