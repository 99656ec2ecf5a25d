import type { FastifyInstance } from "fastify";
import { SlipwayError } from "../../core/errors/error.ts";
import { environmentName } from "../../core/ids.ts";
import { endPreview } from "../../engine/previews/remove.ts";
import { letSleep, type Resting, wake } from "../../engine/previews/rest.ts";
import { findPreview } from "../../engine/previews/rows.ts";
import { previewsNow } from "../../engine/previews/view.ts";
import { recordEvents } from "../../engine/triggers/record.ts";
import { settingsOf } from "../../engine/triggers/settings.ts";
import type { World } from "../../engine/world.ts";
import { createPreviewBody, listQuery, type PreviewsView, previewBody } from "../contract.ts";

export function previewRoutes(server: FastifyInstance, world: World): void {
  server.get("/v1/previews", async (request): Promise<PreviewsView> => {
    return previewsNow(world, listQuery.parse(request.query).product);
  });

  server.post("/v1/previews", async (request) => {
    const { product, branch, actor, ...asked } = createPreviewBody.parse(request.body);
    const template = asked.template ?? (await onlyTemplate(world, product));
    const heard = { product, source: "manual", delivery: world.newId(), digest: null } as const;
    const manual = { is: "manual", branch, actor, template: environmentName(template) } as const;
    const [event] = await recordEvents(world, heard, [manual]);
    return { event };
  });

  server.post("/v1/previews/remove", async (request) => {
    const { product, name, actor, reason } = previewBody.parse(request.body);
    const ending = { product, environment: environmentName(name), actor, reason: reason || "by hand" };
    if (await endPreview(world, ending)) return { removing: true };
    const row = await findPreview(world.store.db, ending);
    if (row === undefined) throw unknown(name);
    return { removing: false };
  });

  server.post("/v1/previews/sleep", async (request) => {
    const resting = await restingOf(world, request.body);
    if (await letSleep(world, resting)) return {};
    throw new SlipwayError("PREVIEW_REFUSED", {
      message: `${resting.environment} does not sleep now: it does so already, nothing is live there, or something is under way`,
    });
  });

  server.post("/v1/previews/wake", async (request) => {
    const refused = await wake(world, await restingOf(world, request.body));
    if (refused === null) return {};
    throw new SlipwayError("PREVIEW_REFUSED", { message: refused });
  });
}

async function onlyTemplate({ store }: World, product: string): Promise<string> {
  const templates = Object.keys((await settingsOf(store.db, product)).settings.templates);
  const [only, ...more] = templates;
  if (only !== undefined && more.length === 0) return only;
  throw new SlipwayError("PREVIEW_REFUSED", {
    message:
      only === undefined ? "no template of previews is in force" : `which template? there are ${templates.join(", ")}`,
    hint:
      only === undefined
        ? "give an environment previews (slipway explain environments.preview.previews), then: slipway triggers apply"
        : "name it: --template <template>",
  });
}

async function restingOf(world: World, body: unknown): Promise<Resting> {
  const { product, name, actor, reason } = previewBody.parse(body);
  const at = { product, environment: environmentName(name) };
  if ((await findPreview(world.store.db, at)) === undefined) throw unknown(name);
  return { ...at, actor, reason: reason || "by hand" };
}

function unknown(name: string): SlipwayError {
  return new SlipwayError("UNKNOWN_ENVIRONMENT", {
    message: `there is no preview ${name}`,
    hint: "run: slipway previews",
  });
}
