import {
  type CompiledQuery,
  DeleteResult,
  DummyDriver,
  InsertResult,
  Kysely,
  NoResultError,
  type QueryNode,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
  UpdateResult,
} from "kysely";

/** Runs a query: by itself, or on the connection that a transaction has. */
export type Run = (query: CompiledQuery) => Promise<QueryResult<unknown>>;

/** A query that was compiled once, and where its values go. */
type Kept = {
  readonly query: CompiledQuery;
  /** For each parameter: the number of the value that it takes, or what it always is. */
  readonly slots: readonly ({ readonly value: number } | { readonly always: unknown })[];
  readonly results: (result: QueryResult<unknown>) => unknown[];
};

type Builder = Readonly<Record<string, (...args: unknown[]) => unknown>>;

/** Queries are few and written in the code; the limit only guards against a key with values in it. */
const maxKept = 2_000;

/**
 * The same database, whose queries are built and compiled once for each place in the code that asks them. To do it anew took half of the
 * time of a transaction in a control plane that deploys now and then (2026-11-27: 4.6 of 8 ms, 20 queries), because code that seldom runs is
 * interpreted. What it cannot tell by its words and the shape of its values, such as a closure, is Kysely's own each time.
 */
export function keepingQueries<DB>(db: Kysely<DB>, run: Run, onHeld: Run): Kysely<DB> {
  const kept = new Map<string, Kept>();
  const around = (base: Kysely<DB>, runs: Run): Kysely<DB> => {
    const origin: Origin = { base: base as unknown as Builder, run: runs, kept };
    const begin = (method: string) => [method, (...args: unknown[]) => new Chain(origin, null, method, args)] as const;
    const own: Record<string, unknown> = {
      ...Object.fromEntries(["selectFrom", "insertInto", "updateTable", "deleteFrom"].map(begin)),
      transaction: () => holding(() => base.transaction()),
      connection: () => holding(() => base.connection()),
    };
    return new Proxy(base, {
      get(target, name) {
        const known = own[name as string];
        if (known !== undefined) return known;
        const value: unknown = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  };
  const holding = (builder: () => { execute: (work: (held: Kysely<DB>) => Promise<unknown>) => Promise<unknown> }) => ({
    execute: (work: (held: Kysely<DB>) => Promise<unknown>) =>
      builder().execute(async (held) => {
        let isHeld = true;
        const runs: Run = (query) =>
          isHeld ? onHeld(query) : Promise.reject(new Error("the transaction of this query is over"));
        try {
          return await work(around(held, runs));
        } finally {
          isHeld = false;
        }
      }),
  });
  return around(db, run);
}

/** Where a query begins, and where it goes in the end. */
type Origin = { readonly base: Builder; readonly run: Run; readonly kept: Map<string, Kept> };

/** What is known of the words so far. */
type Words = {
  readonly key: string;
  readonly values: readonly unknown[];
  /** Its words and values say all of it. */
  readonly isPlain: boolean;
};

/** A query that is being built, up to this word. As Kysely's builders it never changes: it can be gone on from twice. */
class Chain {
  readonly #origin: Origin;
  readonly #before: Chain | null;
  readonly #method: string;
  readonly #args: readonly unknown[];
  readonly #words: Words;

  constructor(origin: Origin, before: Chain | null, method: string, args: readonly unknown[]) {
    this.#origin = origin;
    this.#before = before;
    this.#method = method;
    this.#args = args;
    this.#words = wordsOf(before === null ? none : before.#words, method, args);
  }

  word(method: string, args: readonly unknown[]): Chain {
    return new Chain(this.#origin, this, method, args);
  }

  async execute(): Promise<unknown[]> {
    const { isPlain, values } = this.#words;
    if (!isPlain) return (await this.kysely("execute")) as unknown[];
    const { query, slots, results } = this.#query();
    const parameters = slots.map((slot) => ("value" in slot ? values[slot.value] : slot.always));
    return results(await this.#origin.run({ ...query, parameters }));
  }

  async executeTakeFirst(): Promise<unknown> {
    return (await this.execute())[0];
  }

  async executeTakeFirstOrThrow(...error: readonly unknown[]): Promise<unknown> {
    if (error.length > 0) return await this.kysely("executeTakeFirstOrThrow", ...error);
    const [first] = await this.execute();
    if (first === undefined) throw new NoResultError(this.kysely("toOperationNode") as QueryNode);
    return first;
  }

  /** By this Kysely knows a query that stands in the place of a value. */
  get expressionType(): undefined {
    return undefined;
  }

  /** By Kysely's own builder. */
  kysely(method: string, ...args: readonly unknown[]): unknown {
    return called(this.#built(null), method, args);
  }

  #query(): Kept {
    const { kept } = this.#origin;
    const { key, values } = this.#words;
    const known = kept.get(key);
    if (known !== undefined) return known;
    const marks = values.map((_, index) => `${mark}${index}`);
    const query = called(this.#built(marks), "compile", []) as CompiledQuery;
    const slots = query.parameters.map((each) =>
      typeof each === "string" && each.startsWith(mark) ? { value: Number(each.slice(mark.length)) } : { always: each },
    );
    const made: Kept = { query, slots, results: resultsOf(query) };
    if (kept.size < maxKept) kept.set(key, made);
    return made;
  }

  /** Kysely's builder after this word; with these in the place of the values. */
  #built(marks: readonly string[] | null): Builder {
    const before = this.#before === null ? this.#origin.base : this.#before.#built(marks);
    if (marks === null) return called(before, this.#method, this.#args) as Builder;
    let next = this.#before === null ? 0 : this.#before.#words.values.length;
    const marked = (): unknown => marks[next++];
    const args = this.#args.map((arg, index) => {
      if (isRow(this.#method))
        return Object.fromEntries(Object.keys(arg as object).map((name) => [name, marked()] as const));
      if (!isComparison(this.#method, this.#args) || index !== 2) return arg;
      return Array.isArray(arg) ? arg.map(marked) : marked();
    });
    return called(before, this.#method, args) as Builder;
  }
}

function called(builder: Builder, method: string, args: readonly unknown[]): unknown {
  const own = builder[method];
  if (own === undefined) throw new Error(`a query has no ${method}`);
  return own.call(builder, ...args);
}

const none: Words = { key: "", values: [], isPlain: true };

const isRow = (method: string): boolean => method === "values" || method === "set";

/** One with a value that differs from call to call. */
const isComparison = (method: string, args: readonly unknown[]): boolean =>
  method === "where" && args.length === 3 && args[1] !== "is" && args[1] !== "is not";

function wordsOf(before: Words, method: string, args: readonly unknown[]): Words {
  const words = { key: `${before.key}${method}(`, values: before.values, isPlain: before.isPlain };
  if (isRow(method)) addRow(words, args);
  else if (isComparison(method, args)) {
    addWord(words, args[0]);
    addWord(words, args[1]);
    addCompared(words, args[2]);
  } else for (const arg of args) addWord(words, arg);
  return words;
}

type Growing = { key: string; values: readonly unknown[]; isPlain: boolean };

function addRow(words: Growing, [row, ...rest]: readonly unknown[]): void {
  if (rest.length > 0 || typeof row !== "object" || row === null || Object.getPrototypeOf(row) !== Object.prototype) {
    words.isPlain = false;
    return;
  }
  const entries = Object.entries(row);
  for (const [name, value] of entries) {
    words.key += `${name}:?`;
    words.isPlain &&= isPlainValue(value);
  }
  words.values = [...words.values, ...entries.map(([, value]) => value)];
}

function addCompared(words: Growing, compared: unknown): void {
  const values = Array.isArray(compared) ? compared : [compared];
  words.key += Array.isArray(compared) ? `[${values.length}]` : "?";
  words.isPlain &&= values.length > 0 && values.every(isPlainValue);
  words.values = [...words.values, ...values];
}

const isPlainValue = (value: unknown): boolean =>
  value === null || typeof value === "string" || typeof value === "number";

/** What says which query it is. */
function addWord(words: Growing, word: unknown): void {
  if (word === null || typeof word === "string" || typeof word === "number") words.key += `${word},`;
  else if (Array.isArray(word)) {
    words.key += "[";
    for (const each of word) addWord(words, each);
    words.key += "]";
  } else if (typeof word === "function") addFunction(words, word);
  else words.isPlain = false;
}

/** One that is written outside of every call is the same each time, and can close over nothing that changes. */
function addFunction(words: Growing, known: object): void {
  const number = functions.get(known);
  if (number === undefined) {
    functions.set(known, functionCount++);
    words.isPlain = false;
  } else words.key += `#${number},`;
}

const mark = "\u0000value ";
const functions = new WeakMap<object, number>();
let functionCount = 0;

/** As Kysely's builders make them of what the driver tells. */
function resultsOf({ query }: CompiledQuery): Kept["results"] {
  if (!("returning" in query) || query.returning === undefined)
    switch (query.kind) {
      case "InsertQueryNode":
        return ({ insertId, numAffectedRows }) => [new InsertResult(insertId, numAffectedRows ?? 0n)];
      case "UpdateQueryNode":
        return ({ numAffectedRows, numChangedRows }) => [new UpdateResult(numAffectedRows ?? 0n, numChangedRows)];
      case "DeleteQueryNode":
        return ({ numAffectedRows }) => [new DeleteResult(numAffectedRows ?? 0n)];
    }
  return ({ rows }) => rows as unknown[];
}

/** The words that go on with a query, and are known by what they say. All others are Kysely's, and what comes after them. */
const words = new Set([
  ...["select", "selectAll", "distinct", "where", "whereRef", "innerJoin", "leftJoin", "orderBy", "groupBy", "limit"],
  ...["offset", "values", "set", "onConflict", "returning", "returningAll"],
]);

for (const name of wordsOfKysely()) {
  if (name in Chain.prototype) continue;
  const value = words.has(name)
    ? function (this: Chain, ...args: unknown[]) {
        return this.word(name, args);
      }
    : function (this: Chain, ...args: unknown[]) {
        return this.kysely(name, ...args);
      };
  Object.defineProperty(Chain.prototype, name, { value });
}

/** Every method of its four builders. */
function wordsOfKysely(): ReadonlySet<string> {
  const db = new Kysely<{ readonly t: { readonly c: string } }>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (of) => new SqliteIntrospector(of),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  });
  const builders = [db.selectFrom("t"), db.insertInto("t"), db.updateTable("t"), db.deleteFrom("t")];
  const methods = builders.flatMap((builder) =>
    Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(builder)))
      .filter(([, { value }]) => typeof value === "function")
      .map(([name]) => name),
  );
  return new Set(methods.filter((name) => name !== "constructor"));
}
