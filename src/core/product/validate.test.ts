import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatProblems } from "./problems.ts";
import { environmentNames, resolveEnvironment } from "./resolve.ts";
import { fullProduct, smallProduct } from "./samples.ts";
import { validateProduct } from "./validate.ts";

const report = (value: unknown) => formatProblems("slipway.config.ts", validateProduct(value).problems);
const web = { kind: "web", command: ["node", "server.js"] };
const withWeb = (more: object) => ({ name: "shop", services: { web: { ...web, ...more } } });

test("an image of several platforms is refused before anything is built, and named where it is written", () => {
  const built = (platforms: string[]) => ({
    ...withWeb({ image: { platforms } }),
    target: { driver: "docker", hosts: ["ssh://deploy@vm1"] },
  });
  expect(report(built(["linux/arm64", "linux/arm64"]))).toBe("");
  expect(report(built(["linux/amd64", "linux/arm64"]))).toMatch(
    /services\.web\.image\.platforms +an engine builds for one platform at a time, and linux\/amd64, linux\/arm64 are wanted/,
  );
});

test("an engine by tcp is spoken to in clear on this machine alone, and shown a certificate with its key", () => {
  const at = (url: string, tls?: object) => ({ ...withWeb({}), target: { driver: "docker", hosts: [{ url, tls }] } });
  const [ca, cert, key] = ["/tls/ca.pem", "/tls/cert.pem", "/tls/key.pem"];
  expect(report(at("tcp://127.0.0.1:2375"))).toBe("");
  expect(report(at("tcp://vm1:2375"))).toMatch(/target\.hosts +tcp:\/\/vm1:2375 would be spoken to in clear/);
  expect(report(at("tcp://vm1:2376", { ca, cert, key }))).toBe("");
  for (const half of [{ cert }, { key }])
    expect(report(at("tcp://vm1:2376", { ca, ...half }))).toMatch(
      /target\.hosts +.*tls\.cert and tls\.key go together/,
    );
  const alone = report(at("tcp://vm1:2376", { ca }));
  expect(alone).toMatch(/warning/);
  expect(alone).toMatch(/would be shown no certificate of ours/);
});

test("a key of each environment that is written one level too high is told where it belongs", () => {
  const text = report({ ...withWeb({}), previews: {}, gates: {} });
  expect(text).toMatch(/previews +unknown key here; it belongs in environments\.\*\.previews/);
  expect(text).toMatch(/gates +unknown key here; it belongs in environments\.\*\.gates/);
});

describe("a config that is right", () => {
  test("comes out as it went in, without problems", () => {
    for (const product of [smallProduct, fullProduct]) {
      expect(validateProduct(product)).toEqual({ config: product, problems: [] });
    }
  });

  test("may leave keys undefined, as conditions in code do", () => {
    expect(report(withWeb({ health: undefined, env: undefined }))).toBe("");
  });
});

describe("what is wrong with one key", () => {
  test("all of it is said at once, with guesses", () => {
    const product = {
      name: "Shop",
      services: {
        web: {
          kind: "wbe",
          command: "npm ci && npm start",
          helth: {},
          port: 3000,
          replicas: 2,
          interval: "1s",
          health: { path: "up", interval: 30, timeout: "5 sec", retries: 0, status: [200, "x"], body: 4 },
          resources: { memory: "512M", cpu: "1" },
          routes: ["https://Example.org/api", 3, { hosts: "x", stripPrefix: true, tls: true }],
        },
        "mail catcher": web,
      },
      rollout: { strategy: "canery", bake: "8d", batch: "120%", rules: { errorRatio: true, healthLost: "yes" } },
      edge: {
        listen: "8080",
        trustedProxies: "10.0.0.0/8",
        sticky: { cookie: "a", header: "b" },
        rateLimit: { requests: 9 },
      },
      target: { driver: "swarm", regoin: 1 },
      retention: 3,
      environments: { production: { services: { web: { kind: "web", instances: "2" } } } },
    };
    expect(`\n${report(product)}\n`).toBe(`
slipway.config.ts: 34 problems
  name                                             "Shop" is not a name for a product; did you mean "shop"?
  services.web.kind                                "wbe" is not known here; did you mean "web"?
  services.web.command                             "npm ci && npm start" is a string; use an array: ["sh", "-c", "npm ci && npm start"]
  services.web.health.path                         "up" is not a path; did you mean "/up"?
  services.web.health.status[1]                    "x" is not a whole number from 100 to 599
  services.web.health.body                         4 does not fit here; use a text such as "ok", or JSON such as { "status": "healthy" }
  services.web.health.interval                     30 is not a duration; did you mean "30s"?
  services.web.health.timeout                      "5 sec" is not a duration; did you mean "5s"?
  services.web.health.retries                      0 is out of range; use a whole number from 1 to 100
  services.web.routes[0]                           "https://Example.org/api" is not a route; did you mean "example.org/api"?
  services.web.routes[1]                           3 does not fit here; use "/path", "host" or "host/path", such as "/api" or "example.org/api", or an object with host, path, strip
  services.web.routes[2].hosts                     unknown key; did you mean "host"?
  services.web.routes[2].stripPrefix               unknown key; did you mean "strip"?
  services.web.routes[2].tls                       unknown key; use one of host, path, strip
  services.web.resources.memory                    "512M" is not a size; did you mean "512MB"?
  services.web.resources.cpu                       "1" is not a number from 0.01 to 256
  services.web.helth                               unknown key; did you mean "health"?
  services.web.replicas                            unknown key; did you mean "instances"?
  services.web.interval                            unknown key; did you mean "health.interval"?
  services["mail catcher"]                         "mail catcher" is not a name for a service; did you mean "mail-catcher"?
  rollout.strategy                                 "canery" is not known here; did you mean "canary"?
  rollout.bake                                     8d is too long; use a number and a unit (ms, s, m, h, d), such as 30s, 5m or 1h30m, at most 7d
  rollout.batch                                    "120%" is not a percentage; use 0% to 100%, such as 25%
  rollout.rules.errorRatio                         true does not fit here; use an object such as { margin: "2%", minimum: 10 }, or false
  rollout.rules.healthLost                         "yes" is not a yes or no; use true or false, without quotes
  edge.listen                                      "8080" is not a place to listen; use ":8080", "127.0.0.1:8080" or 8080
  edge.trustedProxies                              "10.0.0.0/8" does not fit here; use a list such as ["10.0.0.0/8"]
  edge.rateLimit.per                               missing; use a number and a unit (ms, s, m, h, d), such as 30s, 5m or 1h30m, from 1s to 1d
  edge.sticky.header                               does not go together with cookie; use one of them
  retention                                        3 does not fit here; use an object with releases
  target.driver                                    "swarm" is not there yet; use "docker", "compose" or "process"
  target.regoin                                    unknown key
  environments.production.services.web.instances   "2" is not a whole number from 1 to 100
  environments.production.services.web.kind        the same in every environment, because the same artifact is promoted; use services.web.kind
`);
  });

  test("what a client chooses its side by is one thing, with a value for each side, where there are sides", () => {
    const about = (optIn: object, strategy: "canary" | "blue-green" = "canary") =>
      report({ name: "shop", services: { web }, rollout: { strategy }, edge: { optIn } });
    expect(about({ header: "x-canary" })).toBe("");
    expect(about({ header: "x-canary", cookie: "canary" })).toContain("needs either header or cookie, and not both");
    expect(about({ candidate: "on" })).toContain("needs either header or cookie, and not both");
    expect(about({ cookie: "canary", candidate: "0" })).toContain('"0" cannot mean both sides');
    expect(about({ header: "x-canary", candidate: "*" })).toContain('"*" is not a value');
    expect(about({ header: "x-canary" }, "blue-green")).toContain("has no effect with blue-green");
  });

  test.each([null, undefined, [], 3, "x", () => 1, Symbol("x"), 10n, new Date(0), new Map()])(
    "%o is not a config",
    (value) => {
      const { config, problems } = validateProduct(value);
      expect(config).toBeNull();
      expect(problems.length).toBeGreaterThan(0);
    },
  );

  test("a value of an environment variable is never shown, it may be a secret", () => {
    const { problems } = validateProduct(withWeb({ env: { TOKEN: 8_675_309, LIST: ["hunter2"], NUL: "hunter2\0" } }));
    expect(JSON.stringify(problems)).not.toMatch(/8675309|hunter2/);
    expect(problems.map(({ message }) => message)).toEqual([
      "a number is not text; put it in quotes",
      "an array is not text; put it in quotes",
      "it has a NUL in it",
    ]);
  });

  test.each([
    ["node server.js", '"node server.js" is a string; use an array: ["node", "server.js"]'],
    ["node 'my server.js'", `"node 'my server.js'" is a string; use an array: ["node", "my server.js"]`],
    ["a | b", '"a | b" is a string; use an array: ["sh", "-c", "a | b"]'],
    [["node server.js"], '"node server.js" is one argument; use ["node", "server.js"]'],
    [[], 'the command is empty; use an array of strings, such as ["node", "server.js"]'],
    [["node", 1], "1 is not text; put it in quotes"],
  ])("the command %j is refused with the array that is meant", (command, message) => {
    expect(validateProduct(withWeb({ command })).problems.map((problem) => problem.message)).toEqual([message]);
  });

  test.each(["../x", "/etc", "a/../../b", "C:\\x", ""])("the path %j, out of the repository, is refused", (path) => {
    expect(validateProduct(withWeb({ path })).problems).toMatchObject([{ path: "services.web.path" }]);
  });

  test("a problem has its parts apart, for programs", () => {
    expect(validateProduct(withWeb({ stopGrace: "30sec" })).problems).toEqual([
      {
        path: "services.web.stopGrace",
        message: '"30sec" is not a duration; did you mean "30s"?',
        seen: '"30sec"',
        allowed: "a number and a unit (ms, s, m, h, d), such as 30s, 5m or 1h30m, at most 1h",
        guess: "30s",
        severity: "error",
      },
    ]);
  });
});

describe("keys that do not go together", () => {
  test("are found in every environment, and said once", () => {
    const command = ["x"];
    const product = {
      name: "shop",
      services: {
        web: { kind: "web", command, needs: ["api"], env: { PORT: "3000", SLIPWAY_X: "1" } },
        api: { kind: "web", command, needs: ["db", "web"] },
        db: { kind: "worker", command, routes: "/db", health: { path: "/", retries: 2, deadline: "2s" } },
        migrate: { kind: "job", command, instances: 2, needs: ["wbe", "migrate"] },
        docs: { kind: "static", command, routes: "/docs", env: { A: "b" } },
        bare: { kind: "worker", fallback: "index.html" },
      },
      rollout: { bake: "0s", batch: "50%" },
      edge: { redirectToHttps: true, redirectWww: true, cors: { origins: ["*"], credentials: true } },
      environments: {
        staging: { promoteFrom: "production", services: { db: null, wbe: {} } },
        production: { promoteFrom: "staging" },
        apart: { promotion: "automatic", edge: { listen: ":8090" } },
        later: { promoteFrom: "stagin", edge: { rateLimit: { requests: 3 } } },
      },
    };
    expect(`\n${report(product)}\n`).toBe(`
slipway.config.ts: 21 problems, 6 warnings
  environments.later.edge.rateLimit.per   missing; use a number and a unit (ms, s, m, h, d), such as 30s, 5m or 1h30m, from 1s to 1d
  services.web.env.PORT                   Slipway gives each instance a free port in PORT; leave it out and listen on it
  services.web.env.SLIPWAY_X              names that begin with SLIPWAY_ are set by Slipway; choose another
  services.migrate.instances              a job runs once in each deployment; leave it out
  services.docs.command                   a static service has no command, its files are served; leave it out, or use kind web
  services.bare.command                   missing; a worker needs one, such as ["node", "server.js"]
  services.bare.fallback                  only a static service serves files; leave it out, or use kind static
  services.api.needs[0]                   db is left out of staging; leave api out too, or keep db
  services.migrate.needs[0]               there is no service "wbe"; did you mean "web"?
  services.web.needs                      web → api → web is a circle: none of them could start first
  services.migrate.needs                  migrate needs itself
  services.api.routes                     without a route it would take / of every host, as web does; give it one, such as "/api", or [] to keep it private
  edge.cors.origins                       "*" and credentials do not go together (browsers refuse it); name the origins
  services.db.routes                      a worker does not listen, so no request can reach it; leave it out, or use kind web
  services.db.health.path                 a worker does not listen: a worker is healthy when it has run for startPeriod; leave it out
  services.db.health.deadline             the deadline (2s) is over before the start period (5s); make the deadline longer
  environments.later.promoteFrom          there is no environment "stagin"; did you mean "staging"?
  environments.staging.promoteFrom        staging → production → staging is a circle: no release could ever get in
  environments.apart.promotion            nothing is promoted here; set promoteFrom to the environment before
  environments.staging.services.wbe       there is no service "wbe"; did you mean "web"?
  environments.production.edge.listen     production and staging both listen on port 8080 for every host; give one of them its own, such as ":8081", or other hosts in its routes

  warnings
  services.docs.env                       a static service runs nothing of yours, so this has no effect
  rollout.bake                            nothing is watched after the switch, so a bad release is not taken back by itself
  rollout.batch                           has no effect with blue-green; it is for rolling
  edge.redirectToHttps                    no proxy is trusted to say that a request came by https, so every request is redirected; set trustedProxies or tls
  edge.redirectWww                        has no effect: no route names a host
  services.db.health.retries              has no effect: a worker is healthy when it has run for startPeriod
`);
  });

  test("HSTS that cannot be meant, and a limit that Caddy cannot keep, are told in words", () => {
    const edgeOf = (edge: object): string =>
      report({ name: "shop", services: { web: { kind: "web", command: ["x"], routes: "shop.example" } }, edge });
    expect(edgeOf({ driver: "caddy", tls: {}, rateLimit: { requests: 10, per: "1s" } })).toBe(
      `slipway.config.ts: 1 problem
  edge.rateLimit   stock Caddy cannot limit rates; limit them in the service, or use the embedded edge`,
    );
    expect(edgeOf({ tls: {}, rateLimit: { requests: 10, per: "1s" } })).toBe("");
    const year = { maxAge: "365d", includeSubDomains: true, preload: true };
    expect(edgeOf({ tls: {}, hsts: year })).toBe("");
    expect(edgeOf({ trustedProxies: ["10.0.0.0/8"], hsts: year })).toBe("");
    expect(edgeOf({ tls: {}, hsts: { ...year, maxAge: "30d" } })).toContain(
      "edge.hsts.preload   needs includeSubDomains and a maxAge of at least 365d, or no list takes the name",
    );
    expect(edgeOf({ tls: {}, hsts: year, headers: { "Strict-Transport-Security": "max-age=1" } })).toContain(
      "edge.hsts says the same; leave one of them out",
    );
    expect(edgeOf({ hsts: { maxAge: "1h" } })).toContain(
      "edge.hsts   has no effect: it is said over TLS only; set tls",
    );
    expect(edgeOf({ tls: {}, redirectToHttps: false, hsts: { maxAge: "1h" } })).toContain(
      "edge.hsts   who comes by plain HTTP is not told: redirectToHttps is false",
    );
    expect(edgeOf({ tls: {}, redirectToHttps: false, hsts: { maxAge: "0s" } })).toBe("");
  });

  test("a finding that rests on a refused key waits until that is mended", () => {
    const product = {
      name: "shop",
      services: {
        web,
        api: { ...web, kind: "werker", needs: ["web"] },
        job: { kind: "job", command: ["x"], needs: ["api"] },
      },
    };
    expect(validateProduct(product).problems.map(({ path }) => path)).toEqual(["services.api.kind"]);
  });

  test("warnings alone do not refuse a config", () => {
    const { config, problems } = validateProduct({ ...withWeb({}), rollout: { bake: "0s" } });
    expect(config).not.toBeNull();
    expect(problems).toMatchObject([{ path: "rollout.bake", severity: "warning" }]);
  });
});

test("gates that could never open, or that name what is not there, are refused", () => {
  const environment = (gates: object) => ({ edge: { listen: "127.0.0.1:0" }, gates });
  const product = {
    ...withWeb({}),
    teams: { ops: ["ada", "grace"] },
    people: { al: ["Ada", "al@example.org"], ada: ["AL@example.org"], ken: ["ken", "ken"] },
    environments: {
      one: environment({ approval: { teams: ["op"] } }),
      two: environment({ approval: { teams: ["ops"], people: ["ada"], count: 3 } }),
      three: environment({
        windows: [{ cron: "9 to 5", duration: "8h" }],
        freezes: [{ cron: "0 0 30 2 *", duration: "1h", timeZone: "Europe/Atlantis" }],
      }),
    },
  };
  expect(`\n${report(product)}\n`).toMatchInlineSnapshot(`
    "
    slipway.config.ts: 7 problems
      environments.three.gates.windows[0].cron       "9 to 5" is not a cron (it has 3 fields); use five fields such as "0 9 * * mon-thu", or one local time such as "2026-12-20T00:00"
      environments.three.gates.freezes[0].cron       "0 0 30 2 *" is not a cron (it never comes); use five fields such as "0 9 * * mon-thu", or one local time such as "2026-12-20T00:00"
      environments.three.gates.freezes[0].timeZone   "Europe/Atlantis" is not a time zone; use a time zone such as "Europe/Berlin" or "UTC"
      environments.one.gates.approval.teams[0]       there is no team "op"; did you mean "ops"?
      environments.two.gates.approval.count          3 people must approve, and there are 2 who may
      people.al[0]                                   it is ada who is called that
      people.ada[0]                                  it is al who is called that
    "
  `);
});

describe("two environments on one machine", () => {
  const at = (listen: string | number, routes: string) => ({ edge: { listen }, services: { web: { routes } } });
  const two = (staging: object, production: object) =>
    validateProduct({ ...withWeb({}), environments: { staging, production } }).problems.map(({ severity }) => severity);

  test("may listen on two ports, or on a free one each", () => {
    expect(two(at(":8081", "/"), at(":8080", "/"))).toEqual([]);
    expect(two(at(0, "/"), at(0, "/"))).toEqual([]);
    expect(two(at("127.0.0.1:80", "/"), at("127.0.0.2:80", "/"))).toEqual([]);
  });

  test("may share a port when hosts tell them apart", () => {
    expect(two(at(":80", "staging.example.org"), at(":80", "example.org"))).toEqual([]);
  });

  test("may not share one otherwise", () => {
    expect(two(at(":80", "/"), at(80, "/"))).toEqual(["error"]);
    expect(two(at(":80", "/"), at("127.0.0.1:80", "/"))).toEqual(["error"]);
    expect(two({}, {})).toEqual(["error"]);
  });

  test("are warned when one of them answers every other host", () => {
    expect(two(at(":80", "staging.example.org"), at(":80", "/"))).toEqual(["warning"]);
  });
});

describe("whatever is thrown at it", () => {
  test("random JSON gives problems, never an exception", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const { config, problems } = validateProduct(value);
        expect(config === null).toBe(problems.some(({ severity }) => severity === "error"));
      }),
    );
  });

  test("a config with a random value in a random place gives problems or resolves", () => {
    fc.assert(
      fc.property(anyProduct, (product) => {
        const { config, problems } = validateProduct(product);
        formatProblems("slipway.config.ts", problems);
        for (const name of config === null ? [] : environmentNames(config)) resolveEnvironment(config!, name);
      }),
      { numRuns: 500 },
    );
  });

  test("a value that holds itself, and names that objects have by birth, are only values", () => {
    const circle: Record<string, unknown> = { name: "shop" };
    circle.services = { web: circle };
    expect(validateProduct(circle).config).toBeNull();
    const born = JSON.parse(
      '{"name":"shop","__proto__":{"x":1},"services":{"constructor":{"kind":"worker","command":["x"],"needs":["valueof"]}}}',
    );
    expect(validateProduct(born).problems.map(({ message }) => message)).toEqual([
      "unknown key",
      'there is no service "valueof"; the services are constructor',
    ]);
  });
});

/** The full config with a random value at one to three random places: as near to right as a mistake is. */
const anyProduct: fc.Arbitrary<unknown> = fc
  .array(fc.tuple(fc.array(fc.nat(), { minLength: 1, maxLength: 6 }), oddValue()), { minLength: 1, maxLength: 3 })
  .map((changes) => changes.reduce<unknown>((product, [turns, value]) => changed(product, turns, value), fullProduct));

function oddValue(): fc.Arbitrary<unknown> {
  const telling = [
    "",
    "0s",
    "5m",
    "25%",
    "512MB",
    "/",
    "example.org",
    "web",
    "staging",
    "production",
    ":8081",
    "*",
    0,
    -1,
  ];
  return fc.oneof(
    fc.constantFrom<unknown>(undefined, null, true, false, {}, [], [[]], Number.NaN, () => 1, ...telling),
    fc.jsonValue({ maxDepth: 3 }),
  );
}

/** Walks down by the numbers, each choosing a key, and puts the value where the walk ends. */
function changed(value: unknown, [turn, ...turns]: readonly number[], put: unknown): unknown {
  if (turn === undefined || typeof value !== "object" || value === null || Object.keys(value).length === 0) return put;
  const keys = Object.keys(value);
  const chosen = keys[turn % keys.length]!;
  if (Array.isArray(value))
    return value.map((item, index) => (String(index) === chosen ? changed(item, turns, put) : item));
  return { ...value, [chosen]: changed((value as Record<string, unknown>)[chosen], turns, put) };
}

describe("a registry", () => {
  test("has its password from a variable or from a command, and somebody who logs in with it", () => {
    const at = (registry: object) => ({
      ...withWeb({}),
      target: { driver: "docker" },
      registry: { repository: "1234.dkr.ecr.eu-central-1.amazonaws.com/shop", ...registry },
    });
    const passwordCommand = ["aws", "ecr", "get-login-password"];
    expect(report(at({ user: "AWS", passwordCommand }))).toBe("");
    expect(report(at({ user: "AWS", passwordCommand: "aws ecr get-login-password" }))).toContain(
      'use an array: ["aws", "ecr", "get-login-password"]',
    );
    expect(report(at({ passwordCommand }))).toMatch(/registry\.passwordCommand +nobody logs in with it; say who/);
    expect(report(at({ user: "AWS", passwordCommand, passwordFrom: "TOKEN" }))).toMatch(
      /registry\.passwordCommand +the password comes from a variable already/,
    );
  });
});

describe("scaling", () => {
  const mailer = { kind: "worker", command: ["mailer"], scale: { max: 9, when: ["queue delay > 30s"] } };
  const scaled = (scale: object, more: object = {}) => ({
    name: "shop",
    services: { web: { ...web, scale, ...more }, mailer },
    probes: { mails: { queue: { url: "redis://cache.internal", bullmq: "mails" }, service: "mailer" } },
    metrics: { load: { json: { url: "http://stats.internal/", path: "load" } } },
  });

  test("by what is there is right, also without a word about how", () => {
    expect(report(scaled({ when: ["load > 10", "queue delay at mails > 1m"] }))).toBe("");
    expect(report(withWeb({ scale: {} }))).toBe("");
    expect(report(withWeb({ scale: { memory: "80%" }, resources: { memory: "512MB" } }))).toBe("");
  });

  test("that cannot be, or could not know by what, is said in words", () => {
    const wrong = [
      scaled({ min: 5 }),
      scaled({ min: 2, max: 4 }, { instances: 1 }),
      scaled({ memory: "80%" }),
      scaled({ when: ["queue delay > 30s", "loud > 3", "queue depth of api > 3"] }),
      withWeb({ scale: { when: ["response time > 2s"] } }),
      withWeb({ kind: "job", scale: {} }),
      { ...withWeb({ scale: {}, volumes: ["data:/data"] }), target: { driver: "docker", hosts: ["ssh://deploy@vm1"] } },
      scaled({ min: 3, max: 3 }),
      scaled({ downAfter: "10s" }),
    ];
    const lines = wrong.flatMap((product) => report(product).split("\n").slice(1));
    const said = lines.filter((line) => line.startsWith("  "));
    expect(said.map((line) => line.trim().replaceAll(/ {2,}/g, "  "))).toEqual([
      "services.web.scale.min  the least (5) is more than the most (3)",
      "services.web.instances  it begins outside its limits; use 2 to 4, or leave it out",
      "services.web.scale.memory  a share of what? set resources.memory too",
      'services.web.scale.when  "queue delay > 30s": no probe of web measures it; give one service: "web", or write "queue delay at mails …"',
      'services.web.scale.when  "loud > 3": there is no metric "loud"; did you mean "load"?',
      'services.web.scale.when  "queue depth of api > 3": there is no service "api"; the services are web, mailer',
      'services.web.scale.when  "response time > 2s": no probe measures it; declare one in probes, with service: "web"',
      "services.web.scale  a job runs once in each deployment; leave it out",
      "services.web.scale  it writes to a volume, so a second instance cannot run beside it; leave it out",
      "services.web.scale  there are always 3: the least is the most; leave it out, and set instances",
      "services.web.scale.downAfter  an instance goes sooner (10s) than it comes (30s); usually it is the other way round",
    ]);
  });
});
