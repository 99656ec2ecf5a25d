import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { SlipwayError } from "../../core/errors/error.ts";
import type { ForgeKind } from "../../core/product/forges.ts";
import { type ForgeWords, forgeWords } from "../../core/triggers/forge.ts";
import type { TriggerSettings } from "../../core/triggers/settings.ts";
import { newestSecret } from "../../engine/secrets/newest.ts";
import { type Heard, type Noted, recordEvents, recordPing } from "../../engine/triggers/record.ts";
import { settingsOf, triggersPlace } from "../../engine/triggers/settings.ts";
import type { World } from "../../engine/world.ts";
import { isSignatureOf, isToken } from "../../lib/sign/webhook.ts";
import { BodyRoom, type Seat } from "../body-room.ts";

/** What GitHub, which sends the largest, cuts its own at. Source: docs.github.com/en/webhooks, 2026-11. */
const bodyLimitBytes = 25 * 1024 ** 2;

type Webhook = NonNullable<TriggerSettings["webhook"]>;
type Hook = FastifyRequest<{ Params: { forge: string } }>;
type Answer = { readonly said: string; readonly events: readonly Noted[] };

/**
 * `POST /hooks/<forge>`: takes a delivery whose proof is right, writes down what it says, and answers; what that begins goes on by
 * itself. Errors: UNAUTHORIZED, NOT_FOUND, SECRET_MISSING, USAGE, BODY_TOO_LARGE, TOO_MANY_CONNECTIONS (large ones fill the room).
 */
export function hookRoutes(server: FastifyInstance, world: World, product: string): void {
  const room = new BodyRoom();
  const seats = new WeakMap<FastifyRequest, Seat>();
  server.addHook("preParsing", async (request, reply, payload) => {
    seats.set(request, room.seatFor(reply.raw));
    return payload;
  });
  // The proof is over the bytes as they came.
  server.removeAllContentTypeParsers();
  server.addContentTypeParser(
    "*",
    { bodyLimit: bodyLimitBytes },
    async (request: FastifyRequest, payload: IncomingMessage) => seats.get(request)?.read(payload, bodyLimitBytes),
  );
  const listened = async ({ params: { forge } }: Hook): Promise<Webhook> => {
    const { webhook } = (await settingsOf(world.store.db, product)).settings;
    if (webhook === null || webhook.forge !== forge) throw elsewhere(forge, webhook);
    return webhook;
  };

  server.post<{ Params: { forge: string } }>(
    "/hooks/:forge",
    {
      bodyLimit: bodyLimitBytes,
      // Before anything of the body is taken.
      onRequest: async (request) => {
        const webhook = await listened(request);
        await mayBeProven(world, { product, webhook, words: forgeWords[webhook.forge], request });
      },
    },
    async (request, reply): Promise<Answer> => {
      const webhook = await listened(request);
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      const words = forgeWords[webhook.forge];
      await mustBeProven(world, { product, webhook, words, request, body });
      const event = header(request, words.eventHeaders);
      if (event === null) throw missing("the event's name", words.eventHeaders);
      const said = words.read(event, json(request, body));
      if (said === null)
        throw new SlipwayError("USAGE", { message: `the body is not what ${webhook.forge} sends as ${event}` });
      const heard = heardOf(request, { product, forge: webhook.forge, words, body });
      reply.code(202);
      switch (said.is) {
        case "ping":
          await recordPing(world, heard);
          return { said: "pong", events: [] };
        case "other":
          // Such as that a check has ended.
          world.seenChecks.hint();
          return { said: `${said.what} begins nothing; only pushes and pull requests are listened to`, events: [] };
        case "events": {
          const events = await recordEvents(world, heard, said.events);
          return { said: events.map(({ reason }) => reason).join("; ") || "nothing was pushed", events };
        }
      }
    },
  );
}

type Asking = {
  readonly product: string;
  readonly webhook: Webhook;
  readonly words: ForgeWords;
  readonly request: FastifyRequest;
};
type Delivered = Asking & { readonly body: Buffer };

/** Whether there is a proof, and one that can be looked at without the body is right. Answers with it and with the secret. */
async function mayBeProven(world: World, { product, webhook, words, request }: Asking) {
  const { by, headers } = words.proof;
  const secret = await newestSecret(world, { product, environment: triggersPlace, name: webhook.secret });
  if (secret === null)
    throw new SlipwayError("SECRET_MISSING", {
      message: `the webhook's secret ${webhook.secret} is not set, so nothing can be proven`,
      hint: `run: slipway secret set ${webhook.secret} -e ${triggersPlace}`,
    });
  const proof = header(request, headers);
  if (proof === null) throw unproven(`the delivery carries no ${headers[0]}`, webhook);
  if (by === "token" && !isToken(secret.reveal(), proof)) throw unproven("the token is not the right one", webhook);
  return { proof, secret };
}

async function mustBeProven(world: World, { body, ...asking }: Delivered): Promise<void> {
  const { proof, secret } = await mayBeProven(world, asking);
  if (asking.words.proof.by === "hmac" && !isSignatureOf(body, secret.reveal(), proof))
    throw unproven("the signature is not that of this body", asking.webhook);
}

/** What is signed cannot be sent again under another name; a token proves nothing of the body. */
function heardOf(
  request: FastifyRequest,
  { product, forge, words, body }: { product: string; forge: ForgeKind; words: ForgeWords; body: Buffer },
): Heard {
  const digest = createHash("sha256").update(body).digest("hex");
  const delivery = header(request, words.deliveryHeaders)?.slice(0, 200) ?? digest;
  return { product, source: forge, delivery, digest: words.proof.by === "hmac" ? digest : null };
}

/** GitHub sends a form where its webhook says so. */
function json(request: FastifyRequest, body: Buffer): unknown {
  const type = request.headers["content-type"] ?? "";
  const text = body.toString("utf8");
  const written = type.startsWith("application/x-www-form-urlencoded")
    ? new URLSearchParams(text).get("payload")
    : text;
  try {
    return JSON.parse(written ?? "");
  } catch {
    throw new SlipwayError("USAGE", { message: "the body is not JSON", evidence: [["content-type", type]] });
  }
}

function header(request: FastifyRequest, names: readonly string[]): string | null {
  for (const name of names) {
    const value = request.headers[name];
    if (typeof value === "string" && value !== "") return value;
  }
  return null;
}

function unproven(message: string, { secret, forge }: Webhook): SlipwayError {
  return new SlipwayError("UNAUTHORIZED", {
    message,
    hint: `give the webhook at ${forge} the value of: slipway secret set ${secret} -e ${triggersPlace}`,
  });
}

function missing(what: string, names: readonly string[]): SlipwayError {
  return new SlipwayError("USAGE", { message: `the delivery does not say ${what}: ${names.join(" or ")}` });
}

function elsewhere(forge: string, webhook: Webhook | null): SlipwayError {
  return new SlipwayError("NOT_FOUND", {
    message: `no webhooks of ${JSON.stringify(forge.slice(0, 40))} are listened to`,
    hint: webhook === null ? "give the config a triggers.webhook" : `send them to /hooks/${webhook.forge}`,
  });
}
