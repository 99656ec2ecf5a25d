import type { FastifyInstance } from "fastify";
import { deploymentId, environmentName, runId } from "../../core/ids.ts";
import { beginFromCi, type CiBegun, ciBegun, mustHaveBegun } from "../../engine/ci/begin.ts";
import { promoteFromCi } from "../../engine/ci/promote.ts";
import { ciSessionOf, mustBeAllowedTo, openCiSession } from "../../engine/ci/session.ts";
import { rollback } from "../../engine/commands/rollback.ts";
import type { World } from "../../engine/world.ts";
import { IdTokens } from "../../lib/oidc/id-tokens.ts";
import { ciDeployBody, ciPromoteBody, ciRollbackBody, sessionBody } from "../ci-contract.ts";
import { streamLines } from "../stream.ts";
import { followDeployment } from "./deployments.ts";
import { followRun } from "./runs.ts";

const bodyLimit = 64 * 1024;

type Of = { Params: { id: string } };

/**
 * What jobs of a CI may reach: they prove themselves with an ID token, get a session that is over soon, and with it may do what the
 * triggers in force allow, and follow what they have begun.
 */
export function ciRoutes(server: FastifyInstance, world: World, product: string): void {
  const tokens = new IdTokens(() => world.clock.now());

  server.post("/v1/sessions", { bodyLimit }, async (request) => {
    const { token } = sessionBody.parse(request.body);
    const { session, is } = await openCiSession(world, tokens, { product, token });
    return { session, until: is.until, actor: is.actor, product, allowed: is.allowed };
  });

  server.post("/v1/ci/deployments", { bodyLimit }, async (request): Promise<CiBegun> => {
    const session = ciSessionOf(world, product, request.headers.authorization);
    const { environment, ...asked } = ciDeployBody.parse(request.body);
    mustBeAllowedTo(session, { verb: "deploy", environment, commit: asked.facts.commit });
    return beginFromCi(world, session, { environment: environmentName(environment), ...asked });
  });

  server.post("/v1/ci/promotions", { bodyLimit }, async (request) => {
    const session = ciSessionOf(world, product, request.headers.authorization);
    const { environment, ...asked } = ciPromoteBody.parse(request.body);
    // Nothing of the job's commit goes live: what does has succeeded in the environment before.
    mustBeAllowedTo(session, { verb: "promote", environment, commit: null });
    return { deployment: await promoteFromCi(world, session, { environment: environmentName(environment), ...asked }) };
  });

  server.post("/v1/ci/rollbacks", { bodyLimit }, async (request) => {
    const session = ciSessionOf(world, product, request.headers.authorization);
    const { environment, reason } = ciRollbackBody.parse(request.body);
    mustBeAllowedTo(session, { verb: "rollback", environment, commit: null });
    const at = { product, environment: environmentName(environment), to: null, force: false };
    return { deployment: await rollback(world, { ...at, actor: session.actor, reason }) };
  });

  server.get<Of>("/v1/ci/events/:id/follow", async (request, reply) => {
    const session = ciSessionOf(world, product, request.headers.authorization);
    const { id } = request.params;
    await ciBegun(world, session, id);
    return streamLines(reply, (signal) => followBegun(world, () => ciBegun(world, session, id), signal));
  });

  server.get<Of>("/v1/runs/:id/follow", async (request, reply) => {
    const session = ciSessionOf(world, product, request.headers.authorization);
    const run = runId(request.params.id);
    await mustHaveBegun(world, session, { run });
    return streamLines(reply, (signal) => followRun(world, run, signal));
  });

  server.get<Of>("/v1/deployments/:id/follow", async (request, reply) => {
    const session = ciSessionOf(world, product, request.headers.authorization);
    const deployment = deploymentId(request.params.id);
    await mustHaveBegun(world, session, { deployment });
    return streamLines(reply, (signal) => followDeployment(world, deployment, signal));
  });
}

/** At every change, until it has come to its deployment or to an end. */
async function* followBegun(world: World, look: () => Promise<CiBegun>, signal: AbortSignal): AsyncGenerator<CiBegun> {
  let last = "";
  for (;;) {
    const changed = world.changes.next(signal);
    changed.catch(() => {});
    const begun = await look();
    if (JSON.stringify(begun) !== last) yield begun;
    last = JSON.stringify(begun);
    if (begun.phase !== "begun") return;
    await changed;
  }
}
