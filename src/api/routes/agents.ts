import { createReadStream, realpathSync } from "node:fs";
import { open } from "node:fs/promises";
import { relative } from "node:path";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import { SlipwayError } from "../../core/errors/error.ts";
import type { AgentDesk, AgentSeen } from "../../engine/agents/desk.ts";
import { recordRevocation, revocations } from "../../engine/agents/revocations.ts";
import { type AgentPass, agentPassOf, makeAgentToken } from "../../engine/agents/token.ts";
import { withPaths } from "../../engine/pipeline/checkout-paths.ts";
import type { World } from "../../engine/world.ts";
import type { StepJob } from "../../ports/executor.ts";
import type { AgentRevocationRow } from "../../ports/tables.ts";
import {
  type AgentView,
  jobEnd,
  type LeaseView,
  leaseBody,
  logQuery,
  revokeBody,
  tokenBody,
} from "../agent-contract.ts";
import { digestHeader } from "../digest-header.ts";

type Of = { Params: { id: string } };

const bodyLimit = 64 * 1024;
/** A piece of a log. */
const pieceBytes = 256 * 1024;
/** How long an agent is kept waiting for work. */
const waitMs = 20_000;

/** For people, in the API. */
export function agentAdminRoutes(server: FastifyInstance, world: World, desk: AgentDesk): void {
  server.get("/v1/agents", async () => ({ agents: agentViews(desk.agents(), await revocations(world)) }));
  server.post("/v1/agent-tokens", async (request) => {
    const { days, ...pass } = tokenBody.parse(request.body);
    const until = world.clock.now() + days * 86_400_000;
    world.log.info("agent.token", { agent: pass.agent, labels: pass.labels.join(","), until });
    return { token: await makeAgentToken(world, { ...pass, until }), until };
  });
  server.post("/v1/agent-revocations", async (request) => {
    const asked = revokeBody.parse(request.body);
    const isKnown = desk.agents().some(({ agent }) => agent === asked.agent);
    const { agent, generation, revoked_by: by } = await recordRevocation(world, asked);
    const given = await desk.revoke(agent, { generation, why: `the token of ${agent} was revoked by ${by}` });
    world.log.info("agent.revoked", { agent, by, steps: given.length });
    world.changes.announce();
    return { agent, isKnown, given };
  });
}

function agentViews(seen: readonly AgentSeen[], revoked: readonly AgentRevocationRow[]): readonly AgentView[] {
  const wordOf = (agent: string, generation: number): AgentView["revoked"] => {
    const row = revoked.find((each) => each.agent === agent && each.generation > generation);
    return row === undefined ? null : { at: row.revoked_at, by: row.revoked_by, reason: row.reason };
  };
  return [
    ...seen.map(({ generation, ...each }) => ({ ...each, revoked: wordOf(each.agent, generation) })),
    ...revoked
      .filter(({ agent }) => !seen.some((each) => each.agent === agent))
      .map(({ agent }) => ({
        agent,
        labels: [],
        engine: false,
        lastSeenAt: null,
        running: [],
        revoked: wordOf(agent, -1),
      })),
  ];
}

/** For agents, on the outer listener: each proves itself with its token, and reaches what it has in hand. */
export function agentRoutes(server: FastifyInstance, world: World, at: { product: string; desk: AgentDesk }): void {
  const { product, desk } = at;
  const passes = new WeakMap<FastifyRequest, AgentPass>();
  const passOf = (request: FastifyRequest): AgentPass => {
    const pass = passes.get(request);
    if (pass === undefined) throw new Error("a request of an agent came in without its pass");
    return pass;
  };
  // Before anything of a body is read.
  server.addHook("onRequest", async (request) => {
    passes.set(request, await agentPassOf(world, product, request.headers.authorization));
  });
  server.addContentTypeParser("application/octet-stream", (_request, payload, done) => done(null, payload));

  server.post("/agent/anew", { bodyLimit }, async (request) => {
    await desk.anew(passOf(request));
    return {};
  });
  server.post("/agent/leases", { bodyLimit }, async (request, reply) => {
    const pass = passOf(request);
    const { labels, ...able } = leaseBody.parse(request.body);
    const beyond = labels.filter((label) => !pass.labels.includes(label));
    if (beyond.length > 0)
      throw new SlipwayError("FORBIDDEN", { message: `the agent's token is not for ${beyond.join(", ")}` });
    const gone = new AbortController();
    reply.raw.on("close", () => gone.abort());
    const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(waitMs)]);
    const taken = await desk.take({ ...pass, labels, ...able }, signal);
    return taken === null ? reply.code(204).send() : { id: taken.id, ...viewOf(taken.job) };
  });
  server.post<Of>("/agent/leases/:id/beat", { bodyLimit }, async (request) => {
    await desk.beat(passOf(request), request.params.id);
    return {};
  });
  server.get<Of>("/agent/leases/:id/workspace", async (request, reply) => {
    const { packed, file } = await desk.workspace(passOf(request), request.params.id);
    reply.header(digestHeader, packed.digest).header("content-length", packed.bytes);
    return reply.type("application/octet-stream").send(createReadStream(file));
  });
  server.put<Of>("/agent/leases/:id/log", { bodyLimit: pieceBytes }, async (request) => {
    const { offset } = logQuery.parse(request.query);
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of request.body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > pieceBytes) throw new SlipwayError("BODY_TOO_LARGE", { message: "the piece of a log is too large" });
      chunks.push(chunk);
    }
    const piece = Buffer.concat(chunks);
    return { bytes: await desk.appendLog(passOf(request), request.params.id, { offset, piece }) };
  });
  server.put<Of>("/agent/leases/:id/made", async (request) => {
    const { file, maxBytes } = desk.made(passOf(request), request.params.id);
    const to = await open(file, "w", 0o600);
    try {
      let bytes = 0;
      for await (const chunk of request.body as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > maxBytes) throw new SlipwayError("BODY_TOO_LARGE", { message: `more than ${maxBytes} bytes` });
        await to.writeFile(chunk);
      }
    } finally {
      await to.close();
    }
    return {};
  });
  server.post<Of>("/agent/leases/:id/end", { bodyLimit }, async (request) => {
    const told = z.strictObject({ end: jobEnd, made: z.string().nullable() }).parse(request.body);
    await desk.end(passOf(request), request.params.id, told);
    return {};
  });
}

function viewOf({ away, directory, container, ...job }: StepJob): Omit<LeaseView, "id"> {
  if (away === null) throw new Error(`${job.key} is for this machine`);
  const { command, env, secrets, labels, timeoutMs, outputBytes, disk } = job;
  const at = { directory: relative(away.top, directory) || ".", patterns: away.patterns, diskBytes: disk.maxBytes };
  return { ...at, command, env, secrets, labels, timeoutMs, outputBytes, container: elsewhere(container, away.top) };
}

/** Without what is of this machine. */
function elsewhere(container: StepJob["container"], top: string): LeaseView["container"] {
  if (container === null) return null;
  const { engine: _engine, mount: _mount, ...rest } = container;
  // A Compose file is read where the checkout really is.
  const real = realpathSync(top);
  return withPaths(rest, (path) => relative(real, path) || ".");
}
