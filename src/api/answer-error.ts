import type { FastifyReply } from "fastify";
import { z } from "zod";
import { isSlipwayError, reasonOf, SlipwayError } from "../core/errors/error.ts";
import type { World } from "../engine/world.ts";

/** Answers with what went wrong; a bug is logged with its stack. */
export function sendError({ log }: Pick<World, "log">, reply: FastifyReply, error: unknown): FastifyReply {
  const known = asSlipwayError(error);
  if (known.code === "INTERNAL")
    log.error("api.bug", { reason: reasonOf(error), stack: error instanceof Error ? error.stack : null });
  return reply.code(known.httpStatus).send({ error: known.toJSON() });
}

function asSlipwayError(error: unknown): SlipwayError {
  if (isSlipwayError(error)) return error;
  if (error instanceof z.ZodError) {
    return new SlipwayError("USAGE", {
      message: "the request is not what this route takes",
      evidence: error.issues.map((issue) => [issue.path.join(".") || "body", issue.message]),
    });
  }
  if (
    error instanceof Error &&
    "statusCode" in error &&
    typeof error.statusCode === "number" &&
    error.statusCode < 500
  ) {
    return new SlipwayError(error.statusCode === 413 ? "BODY_TOO_LARGE" : "USAGE", { message: error.message });
  }
  return new SlipwayError("INTERNAL", { message: reasonOf(error), cause: error });
}
