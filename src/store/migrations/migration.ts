import type { CompiledQuery, Kysely } from "kysely";

export type Dialect = "sqlite" | "postgres";

/**
 * One step of the schema, forward only. Once released it never changes: its checksum is recorded in every state, and
 * `migrations.test.ts` holds it.
 */
export type Migration = {
  /** 1, 2, 3 … without a gap. */
  readonly number: number;
  readonly name: string;
  /** What to run, in order, in one transaction. The same list on every call. */
  statements(db: Kysely<unknown>, dialect: Dialect): readonly CompiledQuery[];
};
