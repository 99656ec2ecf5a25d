import type { FastifyInstance, FastifyReply } from "fastify";
import { z } from "zod";
import { isSlipwayError, SlipwayError } from "../../core/errors/error.ts";
import { releaseId } from "../../core/ids.ts";
import { openApprovalLink } from "../../engine/approvals/links.ts";
import { approve, shown } from "../../engine/commands/approve.ts";
import type { World } from "../../engine/world.ts";
import { sendError } from "../answer-error.ts";
import { approvalPage, saidPage } from "../approval-page.ts";
import { pageHeaders } from "../page.ts";

const bodyLimit = 8 * 1024;
const wordForm = z.strictObject({
  verdict: z.enum(["approved", "rejected"]),
  reason: z.string().max(500).default(""),
  live: z.string().max(80),
});

type OfLink = { Params: { link: string } };

/**
 * `/approvals/<link>`: shows by GET what a deployment is about, as often as anybody looks, scanners of mail too; takes one yes or no by POST.
 */
export function approvalRoutes(server: FastifyInstance, world: World): void {
  server.removeAllContentTypeParsers();
  server.addContentTypeParser(
    "application/x-www-form-urlencoded",
    { parseAs: "string", bodyLimit },
    (_request, body, done) => done(null, Object.fromEntries(new URLSearchParams(String(body)))),
  );
  server.setErrorHandler((error, _request, reply) => {
    if (!isSlipwayError(error)) return sendError(world, reply, error);
    return page(reply.code(error.httpStatus), saidPage("Not taken", `${error.message}. ${error.hint}`));
  });

  server.get<OfLink>("/approvals/:link", async (request, reply) => {
    const { deployment_id, person } = await openApprovalLink(world, request.params.link);
    const { live, lines } = await shown(world, deployment_id);
    const { product, environment } = await world.store.db
      .selectFrom("deployment")
      .select(["product", "environment"])
      .where("id", "=", deployment_id)
      .executeTakeFirstOrThrow();
    return page(
      reply,
      approvalPage({ product, environment, deployment: deployment_id, person, lines, live: live ?? "" }),
    );
  });

  server.post<OfLink>("/approvals/:link", { bodyLimit }, async (request, reply) => {
    const { id, deployment_id: deployment, person, created_by } = await openApprovalLink(world, request.params.link);
    const { verdict, reason, live } = wordForm.parse(request.body);
    if (verdict === "rejected" && reason.trim() === "")
      throw new SlipwayError("USAGE", {
        message: "a rejection needs a reason: who asked wants to know what to mend",
        hint: "go back, and say why",
      });
    const said = reason.trim() === "" ? "" : `${reason.trim()} `;
    await approve(world, {
      deployment,
      verdict,
      actor: person,
      reason: `${said}(by a link from ${created_by})`,
      live: live === "" ? null : releaseId(live),
      link: id,
    });
    return page(
      reply,
      saidPage(verdict === "approved" ? "Approved" : "Rejected", `${deployment}: thank you, ${person}.`),
    );
  });
}

function page(reply: FastifyReply, text: string): FastifyReply {
  return reply.headers(pageHeaders).send(text);
}
