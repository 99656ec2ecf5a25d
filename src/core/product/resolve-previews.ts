import type { PreviewDataInput, PreviewsInput } from "./input.ts";
import { previewDefaults } from "./previews.ts";
import type { PreviewDataSpec, PreviewsSpec } from "./previews-spec.ts";
import { ms } from "./resolve-values.ts";

export function resolvePreviews(previews: PreviewsInput): PreviewsSpec {
  return {
    host: previews.host ?? previewDefaults.host,
    ttlMs: ms(previews.ttl ?? previewDefaults.ttl),
    sleepMs: previews.sleep === undefined ? null : ms(previews.sleep),
    limit: previews.limit ?? previewDefaults.limit,
    whenFull: previews.whenFull ?? previewDefaults.whenFull,
    cost: previews.cost ?? null,
    data: previews.data === undefined ? null : resolveData(previews.data),
  };
}

function resolveData({ prepare, seed, destroy, secrets, timeout, postgres }: PreviewDataInput): PreviewDataSpec {
  const secret = postgres?.secret ?? previewDefaults.secret;
  return {
    ...(postgres !== undefined && {
      postgres: {
        template: postgres.template ?? null,
        dump: postgres.dump ?? null,
        secret,
        admin: postgres.admin ?? secret,
      },
    }),
    prepare: prepare ?? null,
    seed: seed ?? null,
    destroy: destroy ?? null,
    secrets: secrets ?? [],
    timeoutMs: ms(timeout ?? previewDefaults.timeout),
  };
}
