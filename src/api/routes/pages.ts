import type { FastifyInstance } from "fastify";
import { isSlipwayError } from "../../core/errors/error.ts";
import { openPageLink } from "../../engine/pages/links.ts";
import type { World } from "../../engine/world.ts";
import { sendError } from "../answer-error.ts";
import { saidPage } from "../approval-page.ts";
import { pageHeaders } from "../page.ts";
import { deploymentPage, runPage } from "../progress-page.ts";
import { runDetail } from "../run-views.ts";
import { deploymentDetail } from "../views.ts";

/** `/pages/<link>`: how a run or a deployment stands, for people who come from the forge that was told of it. Changes nothing. */
export function pageRoutes(server: FastifyInstance, world: World): void {
  server.setErrorHandler((error, _request, reply) => {
    if (!isSlipwayError(error)) return sendError(world, reply, error);
    const text = saidPage("Nothing to see", `${error.message}. ${error.hint}`);
    return reply.code(error.httpStatus).headers(pageHeaders).send(text);
  });

  server.get<{ Params: { link: string } }>("/pages/:link", async (request, reply) => {
    const subject = openPageLink(world, request.params.link);
    const now = world.clock.now();
    const text =
      "run" in subject
        ? runPage(await runDetail(world, subject.run), now)
        : deploymentPage(await deploymentDetail(world, subject.deployment), now);
    return reply.headers(pageHeaders).send(text);
  });
}
