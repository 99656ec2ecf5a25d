import Fastify, { type FastifyInstance } from "fastify";
import { reasonOf, SlipwayError } from "../core/errors/error.ts";
import type { TriggerSettings } from "../core/triggers/settings.ts";
import type { AgentDesk } from "../engine/agents/desk.ts";
import { readAgentToken } from "../engine/agents/token.ts";
import { findSettings } from "../engine/triggers/settings.ts";
import type { World } from "../engine/world.ts";
import { ourMark } from "./agent-contract.ts";
import { sendError } from "./answer-error.ts";
import { refusal } from "./bearer.ts";
import { keepBudgets } from "./outer-connections.ts";
import { agentRoutes } from "./routes/agents.ts";
import { alertRoutes } from "./routes/alerts.ts";
import { approvalRoutes } from "./routes/approvals.ts";
import { ciRoutes } from "./routes/ci.ts";
import { hookRoutes } from "./routes/hooks.ts";
import { pageRoutes } from "./routes/pages.ts";

/** Strangers can reach it: each request is there after so long or not at all. */
const requestTimeoutMs = 60_000;

/** Without `agents` no step is handed out. */
type HookOptions = { readonly alertToken: string; readonly agents?: AgentDesk };

type Place = Pick<NonNullable<TriggerSettings["webhook"]>, "host" | "port">;

/** Where webhooks, alerts, jobs of a CI and people with a link come in: a listener of its own, so that the API is never where strangers are. */
export class HookServer {
  readonly #world: World;
  readonly #product: string;
  readonly #options: HookOptions;
  #open: { readonly place: Place; readonly server: FastifyInstance } | null = null;
  /** One after the other. */
  #work: Promise<void> = Promise.resolve();

  constructor(world: World, product: string, options: HookOptions) {
    this.#world = world;
    this.#product = product;
    this.#options = options;
  }

  /** Listens where the triggers in force say, or nowhere. Safe to repeat. Errors: PORT_TAKEN. */
  sync(): Promise<void> {
    const next = this.#work.then(() => this.#sync());
    this.#work = next.catch(() => {});
    return next;
  }

  async close(): Promise<void> {
    await this.#work;
    await this.#open?.server.close();
    this.#open = null;
  }

  async #sync(): Promise<void> {
    const settings = (await findSettings(this.#world.store.db, this.#product))?.settings;
    // Those that were applied before there was one place have only the webhook's.
    const wanted: Place | null = settings?.listen ?? settings?.webhook ?? null;
    const is = this.#open?.place;
    if (wanted !== null && is?.host === wanted.host && is.port === wanted.port) return;
    await this.#open?.server.close();
    this.#open = null;
    if (wanted === null) return;
    const { host, port } = wanted;
    const server = hookServer(this.#world, this.#product, this.#options);
    try {
      await server.listen({ host, port });
    } catch (cause) {
      throw new SlipwayError("PORT_TAKEN", {
        message: `nothing from outside can come in at ${host}:${port}: ${reasonOf(cause)}`,
        hint: "set triggers.listen or triggers.webhook.listen to another place, then: slipway triggers apply",
        cause,
      });
    }
    this.#open = { place: { host, port }, server };
    this.#world.log.info("hooks.listening", { host, port });
  }
}

export function hookServer(world: World, product: string, { alertToken, agents }: HookOptions): FastifyInstance {
  const isFromAgent = (header: string | undefined): boolean => readAgentToken(world, product, header) !== null;
  const server = Fastify({
    logger: false,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    requestTimeout: requestTimeoutMs,
    frameworkErrors: (error, _request, reply) => {
      sendError(world, reply, error);
    },
  });
  server.addHook("onRequest", async (_request, reply) => void reply.header(ourMark.header, ourMark.value));
  keepBudgets(server, ({ url, headers }) => url.startsWith("/agent/") && isFromAgent(headers.authorization));
  server.setErrorHandler((error, _request, reply) => sendError(world, reply, error));
  server.setNotFoundHandler((request, reply) =>
    sendError(
      world,
      reply,
      new SlipwayError("NOT_FOUND", {
        message: `${request.method} ${request.url.slice(0, 200)} is nothing that is answered here`,
        hint: "webhooks are sent by POST to /hooks/<forge>; jobs of a CI begin with POST /v1/sessions, alerts go to /v1/alerts",
      }),
    ),
  );
  // Each reads bodies in its own way.
  void server.register(async (own) => hookRoutes(own, world, product));
  void server.register(async (own) => ciRoutes(own, world, product));
  void server.register(async (own) => approvalRoutes(own, world));
  void server.register(async (own) => pageRoutes(own, world));
  if (agents !== undefined) void server.register(async (own) => agentRoutes(own, world, { product, desk: agents }));
  void server.register(async (own) => {
    own.addHook("onRequest", async (request) => {
      const refused = refusal(request.headers.authorization, alertToken);
      if (refused !== null) throw refused;
    });
    alertRoutes(own, world);
  });
  return server;
}
