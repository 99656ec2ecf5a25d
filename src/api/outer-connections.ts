import type { Socket } from "node:net";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { SlipwayError } from "../core/errors/error.ts";

/** How many connections may be in use at once, by what they are used for. */
export const connectionBudgets = { agents: 256, others: 64, idle: 64 } as const;

type Use = keyof typeof connectionBudgets;

/**
 * The connections of the outer listener, which strangers reach. Agents and all others have a budget each, so that neither shuts the other
 * out; what a connection is used for is what its request proves, for as long as it lasts. One without a request counts as idle: for a
 * newcomer the one that has been so for longest is closed, so that who only holds connections holds nothing.
 */
export function keepBudgets(server: FastifyInstance, isAgent: (request: FastifyRequest) => boolean): void {
  const uses = new Map<Socket, Use>();
  const count = (use: Use): number => [...uses.values()].filter((each) => each === use).length;
  // Last in the map: idle since now.
  const put = (socket: Socket, use: Use): void => {
    uses.delete(socket);
    if (!socket.destroyed) uses.set(socket, use);
  };
  // One more of each: who comes beyond a budget is told so, and the oldest idle one goes.
  server.server.maxConnections = Object.values(connectionBudgets).reduce((sum, each) => sum + each + 1, 0);
  server.server.on("connection", (socket: Socket) => {
    put(socket, "idle");
    socket.once("close", () => uses.delete(socket));
    if (count("idle") <= connectionBudgets.idle) return;
    for (const [each, use] of uses)
      if (use === "idle") {
        each.destroy();
        uses.delete(each);
        return;
      }
  });
  server.addHook("onRequest", async (request, reply) => {
    const { socket } = request.raw;
    const use: Use = isAgent(request) ? "agents" : "others";
    if (uses.get(socket) === use) return;
    if (count(use) >= connectionBudgets[use]) {
      reply.header("connection", "close").header("retry-after", "1");
      const who = use === "agents" ? "agents" : "webhooks, alerts, jobs of a CI and people";
      throw new SlipwayError("TOO_MANY_CONNECTIONS", {
        message: `${connectionBudgets[use]} connections of ${who} are in use already`,
      });
    }
    put(socket, use);
  });
  server.addHook("onResponse", async (request) => put(request.raw.socket, "idle"));
}
