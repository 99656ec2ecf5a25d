import {
  type CompiledQuery,
  DummyDriver,
  Kysely,
  type OnConflictBuilder,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import { describe, expect, it } from "vitest";
import { keepingQueries } from "./kept-queries.ts";

type Shelf = { readonly book: { readonly id: string; readonly title: string | null; readonly pages: number } };

function shelf() {
  const asked: Pick<CompiledQuery, "sql" | "parameters">[] = [];
  const plain = new Kysely<Shelf>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  });
  const run = async ({ sql, parameters }: CompiledQuery) => {
    asked.push({ sql, parameters });
    return { rows: [], numAffectedRows: 3n, insertId: 7n };
  };
  return { plain, asked, kept: keepingQueries(plain, run, run) };
}

/** Outside of the call. */
const again = (same: OnConflictBuilder<Shelf, "book">) =>
  same.column("id").doUpdateSet(({ ref }) => ({ title: ref("excluded.title") }));

describe("queries that are compiled once", () => {
  const queries = [
    (db: Kysely<Shelf>, n: number) =>
      db
        .selectFrom("book")
        .selectAll()
        .where("pages", ">", n)
        .where("title", n % 2 === 0 ? "is" : "is not", null)
        .where("id", "in", n === 1 ? ["a"] : ["b", `${n}`, "a"])
        .orderBy("pages", "desc")
        .limit(n),
    (db: Kysely<Shelf>, n: number) =>
      db
        .insertInto("book")
        .values({ id: `${n}`, title: n === 1 ? null : "a", pages: n })
        .onConflict(again),
    (db: Kysely<Shelf>, n: number) =>
      db
        .updateTable("book")
        .set({ title: `${n}`, pages: 1 })
        .where("pages", "=", n)
        .where("title", "=", "1"),
    (db: Kysely<Shelf>, n: number) => db.deleteFrom("book").where("id", "=", `${n}`),
  ];

  it("are Kysely's, with the values of each call", async () => {
    for (const query of queries) {
      for (const n of [1, 2, 3, 1, 2, 3]) {
        const { plain, asked, kept } = shelf();
        await query(kept, n).execute();
        const { sql, parameters } = query(plain, n).compile();
        // The first time that a function is seen, the query is Kysely's own, and goes its way.
        if (asked.length > 0) expect(asked).toEqual([{ sql, parameters }]);
        else expect(n).toBe(1);
      }
    }
  });

  it("tell what a write has done as Kysely does", async () => {
    const { kept } = shelf();
    const [updated] = await kept.updateTable("book").set({ pages: 1 }).execute();
    const [removed] = await kept.deleteFrom("book").execute();
    expect([updated?.numUpdatedRows, removed?.numDeletedRows]).toEqual([3n, 3n]);
    expect((await kept.insertInto("book").values({ id: "a", title: null, pages: 1 }).executeTakeFirst()).insertId).toBe(
      7n,
    );
    await expect(kept.selectFrom("book").selectAll().executeTakeFirstOrThrow()).rejects.toThrow("no result");
  });

  it("can be gone on from twice, as Kysely's can, and know all of its words", async () => {
    const { asked, kept, plain } = shelf();
    const both = (db: Kysely<Shelf>) => {
      const some = db.selectFrom("book").select("id").where("pages", ">", 1);
      return [some.where("title", "=", "a"), some.where("id", "=", "b").orderBy("id")] as const;
    };
    for (const query of both(kept)) await query.execute();
    const wanted = both(plain).map((query) => query.compile());
    expect(asked).toEqual(wanted.map(({ sql, parameters }) => ({ sql, parameters })));
    const counted = (db: Kysely<Shelf>) =>
      db
        .selectFrom("book")
        .select("title")
        .groupBy("title")
        .having("title", "is not", null)
        .$if(true, (query) => query.limit(2));
    expect(counted(kept).compile().sql).toBe(counted(plain).compile().sql);
  });

  it("belong to the transaction that they were asked in, and to none that is over", async () => {
    const { asked, kept } = shelf();
    let left: Kysely<Shelf> | null = null;
    await kept.connection().execute((held) =>
      held.transaction().execute(async (trx) => {
        left = trx;
        await trx.deleteFrom("book").where("id", "=", "a").execute();
      }),
    );
    expect(asked).toEqual([{ sql: 'delete from "book" where "id" = ?', parameters: ["a"] }]);
    await expect((left as unknown as Kysely<Shelf>).deleteFrom("book").execute()).rejects.toThrow("is over");
  });

  it("leave to Kysely what they cannot tell by its words: a closure, another query", async () => {
    const { asked, kept, plain } = shelf();
    for (const n of [1, 2])
      await kept
        .selectFrom("book")
        .select(({ lit }) => lit(n).as("n"))
        .execute();
    const among = (db: Kysely<Shelf>) =>
      db
        .selectFrom("book")
        .selectAll()
        .where("id", "in", db.selectFrom("book").select("id").where("pages", ">", 1));
    await among(kept).execute();
    const [{ sql, parameters }, wanted] = [among(kept).compile(), among(plain).compile()];
    expect({ sql, parameters }).toEqual({ sql: wanted.sql, parameters: wanted.parameters });
    expect(asked).toEqual([]);
  });
});
