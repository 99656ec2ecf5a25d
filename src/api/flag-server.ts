import { createHash } from "node:crypto";
import Fastify, { type FastifyInstance } from "fastify";
import { z } from "zod";
import { reasonOf, SlipwayError } from "../core/errors/error.ts";
import { environmentName } from "../core/ids.ts";
import { flagDocumentOf, flagServerOf, flagToken } from "../engine/flags/flags.ts";
import type { World } from "../engine/world.ts";
import { sendError } from "./answer-error.ts";
import { refusal } from "./bearer.ts";

/** Services that wait for news at once; one more is answered at once. */
const maxConnections = 1_000;
const requestTimeoutMs = 10_000;
/** How long a service may wait for news. */
const mostWaitS = 60;
/** Between two looks at where to listen. */
const lookMs = 1_000;

const query = z.object({ wait: z.coerce.number().min(0).max(mostWaitS).default(0) });

type Place = { readonly host: string; readonly port: number };

/** Where services ask for their flags: a listener of its own, that answers nothing else. It follows the newest release's config. */
export class FlagServer {
  readonly #world: World;
  readonly #product: string;
  readonly #stop = new AbortController();
  #open: { readonly place: Place; readonly server: FastifyInstance } | null = null;
  #done: Promise<void> = Promise.resolve();
  #trouble = "";

  constructor(world: World, product: string) {
    this.#world = world;
    this.#product = product;
  }

  start(): void {
    this.#done = this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error("the control plane is closing"));
    await this.#done;
    await this.#open?.server.close();
    this.#open = null;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const { changes, clock, log } = this.#world;
    while (!signal.aborted) {
      const changed = changes.next(signal).catch(() => {});
      try {
        await this.#sync();
        this.#trouble = "";
      } catch (error) {
        // The same again is no news.
        const reason = reasonOf(error);
        if (reason !== this.#trouble) log.error("flags.not-listening", { reason });
        this.#trouble = reason;
      }
      await (this.#trouble === "" ? changed : Promise.resolve());
      await clock.sleep(lookMs, signal).catch(() => {});
    }
  }

  async #sync(): Promise<void> {
    const wanted = await flagServerOf(this.#world.store.db, this.#product);
    const is = this.#open?.place;
    if (wanted !== null && is?.host === wanted.host && is.port === wanted.port) return;
    await this.#open?.server.close();
    this.#open = null;
    if (wanted === null) return;
    const server = flagServer(this.#world, this.#product, this.#stop.signal);
    await server.listen(wanted);
    this.#open = { place: wanted, server };
    this.#world.log.info("flags.listening", wanted);
  }
}

export function flagServer(world: World, product: string, closing: AbortSignal): FastifyInstance {
  const server = Fastify({
    logger: false,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    requestTimeout: requestTimeoutMs,
    frameworkErrors: (error, _request, reply) => {
      sendError(world, reply, error);
    },
  });
  server.server.maxConnections = maxConnections;
  server.setErrorHandler((error, _request, reply) => sendError(world, reply, error));
  server.setNotFoundHandler((_request, reply) =>
    sendError(world, reply, new SlipwayError("NOT_FOUND", { message: "only flags are here: /flags/<environment>" })),
  );
  server.get<{ Params: { environment: string } }>("/flags/:environment", async (request, reply) => {
    const at = { product, environment: environmentName(request.params.environment) };
    if (refusal(request.headers.authorization, flagToken(world, at)) !== null)
      throw new SlipwayError("UNAUTHORIZED", { message: "the token does not open the flags of this environment" });
    const { wait } = query.parse(request.query);
    const gone = new AbortController();
    reply.raw.on("close", () => gone.abort());
    const signal = AbortSignal.any([gone.signal, closing, AbortSignal.timeout(wait * 1_000)]);
    for (;;) {
      const changed = world.changes.next(signal).catch(() => {});
      const body = JSON.stringify(await flagDocumentOf(world.store.db, at));
      const tag = `"${createHash("sha256").update(body).digest("hex").slice(0, 32)}"`;
      reply.header("etag", tag).header("cache-control", "no-store");
      if (request.headers["if-none-match"] !== tag) return reply.type("application/json").send(body);
      if (signal.aborted) return reply.code(304).send();
      await changed;
    }
  });
  return server;
}
