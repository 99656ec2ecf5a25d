import type { IncomingMessage } from "node:http";
import Fastify, { type FastifyInstance, type FastifyRequest } from "fastify";
import { SlipwayError } from "../core/errors/error.ts";
import type { AgentDesk } from "../engine/agents/desk.ts";
import type { Left } from "../engine/deploy/stop-all.ts";
import type { World } from "../engine/world.ts";
import { sendError } from "./answer-error.ts";
import { refusal } from "./bearer.ts";
import { cookieName, enter, halvesOf, mustBeOwn } from "./browser-entry.ts";
import { type BrowserSession, BrowserSessions } from "./browser-sessions.ts";
import { commandServer } from "./command-server.ts";
import { accessoryRoutes } from "./routes/accessories.ts";
import { agentAdminRoutes } from "./routes/agents.ts";
import { alertRoutes, alertsPath } from "./routes/alerts.ts";
import { type DashboardOptions, dashboardRoutes, isOfTheDoor } from "./routes/dashboard.ts";
import { deploymentRoutes } from "./routes/deployments.ts";
import { environmentRoutes } from "./routes/environments.ts";
import { flagRoutes } from "./routes/flags.ts";
import { logRoutes } from "./routes/logs.ts";
import { metricRoutes } from "./routes/metrics.ts";
import { previewRoutes } from "./routes/previews.ts";
import { releaseRoutes } from "./routes/releases.ts";
import { ruleRoutes } from "./routes/rules.ts";
import { runRoutes } from "./routes/runs.ts";
import { scaleRoutes } from "./routes/scales.ts";
import { secretRoutes } from "./routes/secrets.ts";
import { stateRoutes } from "./routes/state.ts";
import { triggerRoutes } from "./routes/triggers.ts";

export type ApiOptions = {
  readonly token: string;
  /** Of Alertmanager: opens the one route that it posts to. */
  readonly alertToken: string;
  /** Without them no step is handed out. */
  readonly agents?: AgentDesk;
  /** Without it there is none. */
  readonly dashboard?: DashboardOptions;
  readonly version: string;
  readonly startedAt: number;
  /** Stops the edge and every instance, and tells what still runs. Nothing is decided any more after it was called. */
  readonly stopEverything: () => Promise<readonly Left[]>;
  /** Called when somebody asks for something to be done, before it is: a server that was away is asked again at once. */
  readonly onCommand: () => void;
  /** Called when other triggers are in force: opens and closes where webhooks come in. Errors: PORT_TAKEN. */
  readonly onTriggers: () => Promise<void>;
  /** Called after the answer to a request to stop has been sent. */
  readonly onStop: () => void;
};

/** Largest request body. The API carries names and reasons, never files. */
const bodyLimitBytes = 256 * 1024;

/**
 * The HTTP API over the engine. Every route but the liveness check and the dashboard's door needs the bearer token, or a browser's session,
 * which may do what the token may, as its person.
 */
export function apiServer(world: World, options: ApiOptions): FastifyInstance {
  const server = Fastify({
    bodyLimit: bodyLimitBytes,
    logger: false,
    forceCloseConnections: true,
    // A HEAD of a stream would never end.
    exposeHeadRoutes: false,
    // What fails before there is a route, such as a path that cannot be decoded, passes no hook.
    frameworkErrors: (error, request, reply) => {
      sendError(world, reply, refusal(request.headers.authorization, options.token) ?? error);
    },
  });
  const sessions = new BrowserSessions(world.clock);
  const cookie = cookieName(options.token);
  const entered = new WeakMap<IncomingMessage, BrowserSession>();
  const sessionOf = (request: FastifyRequest): BrowserSession | null => entered.get(request.raw) ?? null;
  server.addHook("onRequest", async (request, reply) => {
    const { url, headers } = request;
    if (url === "/v1/alive" || (options.dashboard !== undefined && isOfTheDoor(request))) return;
    const halves = headers.authorization === undefined && url !== alertsPath ? halvesOf(headers, cookie) : null;
    if (halves !== null) {
      const session = enter(sessions, request, halves);
      entered.set(request.raw, session);
      sessions.hold(session, reply.raw);
    } else {
      const refused = refusal(headers.authorization, url === alertsPath ? options.alertToken : options.token);
      if (refused !== null) throw refused;
    }
    if (request.method !== "GET" && url !== alertsPath) options.onCommand();
  });
  server.addHook("preHandler", async (request) => {
    const session = sessionOf(request);
    if (session !== null) mustBeOwn(session, request.routeOptions.url, request.body);
  });
  // Connections that were upgraded are not closed with the server's others.
  server.addHook(
    "preClose",
    (() => {
      const end = commandServer(server.server, world, {
        mayEnter: (header) => refusal(header, options.token) === null,
        onCommand: options.onCommand,
      });
      return async () => end();
    })(),
  );
  server.setErrorHandler((error, _request, reply) => sendError(world, reply, error));
  server.setNotFoundHandler((request, reply) =>
    sendError(
      world,
      reply,
      new SlipwayError("NOT_FOUND", { message: `${request.method} ${request.url} is not part of the API` }),
    ),
  );
  server.get("/v1/alive", async () => ({ version: options.version, pid: process.pid }));
  runRoutes(server, world);
  releaseRoutes(server, world);
  deploymentRoutes(server, world);
  environmentRoutes(server, world, options);
  accessoryRoutes(server, world);
  alertRoutes(server, world);
  logRoutes(server, world);
  if (options.agents !== undefined) agentAdminRoutes(server, world, options.agents);
  if (options.dashboard !== undefined)
    dashboardRoutes(server, world, { ...options.dashboard, ...options, sessions, sessionOf });
  flagRoutes(server, world);
  metricRoutes(server, world);
  ruleRoutes(server, world);
  scaleRoutes(server, world);
  secretRoutes(server, world);
  stateRoutes(server, world, options);
  triggerRoutes(server, world, options);
  previewRoutes(server, world);
  return server;
}
