import type { FastifyInstance } from "fastify";
import { environmentName } from "../../core/ids.ts";
import { Secret } from "../../core/secret.ts";
import { listSecrets, setSecret, unsetSecret } from "../../engine/secrets/secrets.ts";
import type { World } from "../../engine/world.ts";
import { listQuery, secretBody, unsetSecretBody } from "../contract.ts";

export function secretRoutes(server: FastifyInstance, world: World): void {
  server.get("/v1/secrets", async (request) => {
    const { product, environment } = listQuery.parse(request.query);
    const only = environment === undefined ? null : environmentName(environment);
    return { secrets: await listSecrets(world, { product, environment: only }) };
  });

  server.post("/v1/secrets", async (request) => {
    const { value, ...body } = secretBody.parse(request.body);
    const at = { ...body, environment: environmentName(body.environment) };
    return { changed: await setSecret(world, at, new Secret(value)) };
  });

  server.post("/v1/secrets/unset", async (request) => {
    const body = unsetSecretBody.parse(request.body);
    await unsetSecret(world, { ...body, environment: environmentName(body.environment) });
    return {};
  });
}
