import type { FastifyInstance } from "fastify";
import { ciEvidence } from "../../core/ci/facts.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import { type DeploymentId, deploymentId, environmentName, releaseId } from "../../core/ids.ts";
import { makeApprovalLink } from "../../engine/approvals/links.ts";
import { approve, shown } from "../../engine/commands/approve.ts";
import { ask } from "../../engine/commands/ask.ts";
import { plan } from "../../engine/commands/plan.ts";
import { rollback, wayBack } from "../../engine/commands/rollback.ts";
import { startDeployment } from "../../engine/commands/start-deployment.ts";
import { untilChange } from "../../engine/until-change.ts";
import type { World } from "../../engine/world.ts";
import {
  askBody,
  type DeploymentDetail,
  linkBody,
  listQuery,
  type RollbackPlanView,
  rollbackBody,
  rollbackPlanBody,
  startDeploymentBody,
  wordBody,
} from "../contract.ts";
import { streamLines } from "../stream.ts";
import { deploymentDetail, deploymentViews } from "../views.ts";

/** Counters of a deployment under way are sent at most this often; its changes at once. */
const countersMs = 500;
const maxListed = 500;

export function deploymentRoutes(server: FastifyInstance, world: World): void {
  server.post("/v1/deployments", async (request) => {
    const {
      id,
      whenBusy,
      overrideWindow = false,
      overrideBudget = false,
      ci,
      ...body
    } = startDeploymentBody.parse(request.body);
    if ((overrideWindow || overrideBudget) && body.reason.trim() === "")
      throw new SlipwayError("USAGE", {
        message: `to pass a ${overrideWindow ? "window" : "budget"} by needs a reason`,
      });
    const deployment = await startDeployment(world, {
      ...body,
      ...(id === undefined ? {} : { id: deploymentId(id) }),
      overrideWindow,
      overrideBudget,
      ...(ci === undefined ? {} : { evidence: ciEvidence(ci) }),
      ...(whenBusy === undefined ? {} : { whenBusy }),
      environment: environmentName(body.environment),
      release: releaseId(body.release),
    });
    return { deployment };
  });

  server.post("/v1/rollbacks", async (request) => {
    const { askedAt, ...body } = rollbackBody.parse(request.body);
    const deployment = await rollback(world, {
      ...body,
      ...(askedAt === undefined ? {} : { askedAt }),
      environment: environmentName(body.environment),
      to: body.to === null ? null : releaseId(body.to),
    });
    return { deployment };
  });

  server.post("/v1/rollbacks/plans", async (request): Promise<RollbackPlanView> => {
    const { product, environment: name } = rollbackPlanBody.parse(request.body);
    const environment = environmentName(name);
    const way = await wayBack(world, { product, environment });
    if ("callsOff" in way) return { is: "call off", deployment: await deploymentDetail(world, way.callsOff) };
    return { is: "release", release: way.release, plan: await plan(world, { release: way.release, environment }) };
  });

  server.get("/v1/deployments", async (request) => {
    const { product, environment, limit = 50 } = listQuery.parse(request.query);
    return {
      deployments: await deploymentViews(world, {
        product,
        environment: environment === undefined ? null : environmentName(environment),
        limit: Math.min(maxListed, limit),
      }),
    };
  });

  server.get<{ Params: { id: string } }>("/v1/deployments/:id", (request) =>
    deploymentDetail(world, deploymentId(request.params.id)),
  );

  server.get<{ Params: { id: string } }>("/v1/deployments/:id/follow", (request, reply) =>
    streamLines(reply, (signal) => followDeployment(world, deploymentId(request.params.id), signal)),
  );

  server.post<{ Params: { id: string } }>("/v1/deployments/:id/requests", async (request) => {
    const { step, ...body } = askBody.parse(request.body);
    const deployment = deploymentId(request.params.id);
    await ask(world, { deployment, ...body, ...(step === undefined ? {} : { step }) });
    return {};
  });

  server.get<{ Params: { id: string } }>("/v1/deployments/:id/evidence", (request) =>
    shown(world, deploymentId(request.params.id)),
  );

  server.post<{ Params: { id: string } }>("/v1/deployments/:id/links", async (request) =>
    makeApprovalLink(world, { deployment: deploymentId(request.params.id), ...linkBody.parse(request.body) }),
  );

  server.post<{ Params: { id: string } }>("/v1/deployments/:id/approvals", async (request) => {
    const { live, ...body } = wordBody.parse(request.body);
    const seen = live === undefined ? {} : { live: live === null ? null : releaseId(live) };
    await approve(world, { deployment: deploymentId(request.params.id), ...body, ...seen });
    return {};
  });
}

/** The deployment now, at every change, and with fresh counters meanwhile, until it has ended. */
export async function* followDeployment(
  world: World,
  id: DeploymentId,
  signal: AbortSignal,
): AsyncGenerator<DeploymentDetail> {
  for (;;) {
    const changed = untilChange(world, signal);
    try {
      const detail = await deploymentDetail(world, id);
      yield detail;
      if (detail.ended) return;
      await changed.wait(countersMs);
    } finally {
      changed.release();
    }
  }
}
