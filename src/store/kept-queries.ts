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
  /** For each parameter: the number of the value that it takes, or what it always is. Null where they are the values as they come. */
  readonly slots: readonly ({ readonly value: number } | { readonly always: unknown })[] | null;
  readonly results: (result: QueryResult<unknown>) => unknown[];
};

type Builder = Readonly<Record<string, (...args: unknown[]) => unknown>>;

/** Queries are few and written in the code; the limit only guards against words with values in them. */
const maxPlaces = 50_000;

/**
 * The same database, whose queries are built and compiled once for each place in the code that asks them. To do it anew took half of the
 * time of a transaction in a control plane that deploys now and then (2026-11-27: 4.6 of 8 ms, 20 queries), because code that seldom runs is
 * interpreted. What it cannot tell by its words and the shape of its values, such as a closure, is Kysely's own each time.
 */
export function keepingQueries<DB>(db: Kysely<DB>, run: Run, onHeld: Run, { start } = keptQueries()): Kysely<DB> {
  const around = (base: Kysely<DB>, runs: Run): Kysely<DB> =>
    new Keeping({ base: base as unknown as Builder, run: runs, start }, held) as unknown as Kysely<DB>;
  const held = async (base: unknown, work: (held: unknown) => Promise<unknown>): Promise<unknown> => {
    let isHeld = true;
    const runs: Run = (query) =>
      isHeld ? onHeld(query) : Promise.reject(new Error("the transaction of this query is over"));
    try {
      return await work(around(base as Kysely<DB>, runs));
    } finally {
      isHeld = false;
    }
  };
  return around(db, run);
}

/** What is kept: of databases of one schema and one dialect, for which a query is compiled in the same way. */
export type KeptQueries = { readonly start: Place };

export function keptQueries(): KeptQueries {
  return { start: new Place({ count: 0 }) };
}

/** Where a query begins, and where it goes in the end. */
type Origin = { readonly base: Builder; readonly run: Run; readonly start: Place };

type Work = (held: unknown) => Promise<unknown>;
type Holding = { execute(work: Work): Promise<unknown> };

/** The database as it is asked: what begins a query or holds a connection is here, everything else is Kysely's. */
class Keeping {
  readonly origin: Origin;
  readonly #held: (base: unknown, work: Work) => Promise<unknown>;

  constructor(origin: Origin, held: (base: unknown, work: Work) => Promise<unknown>) {
    this.origin = origin;
    this.#held = held;
  }

  selectFrom(...args: unknown[]): Chain {
    return new Chain(this.origin, null, "selectFrom", args);
  }

  insertInto(...args: unknown[]): Chain {
    return new Chain(this.origin, null, "insertInto", args);
  }

  updateTable(...args: unknown[]): Chain {
    return new Chain(this.origin, null, "updateTable", args);
  }

  deleteFrom(...args: unknown[]): Chain {
    return new Chain(this.origin, null, "deleteFrom", args);
  }

  transaction(): Holding {
    return this.#holding("transaction");
  }

  connection(): Holding {
    return this.#holding("connection");
  }

  #holding(method: "transaction" | "connection"): Holding {
    const builder = called(this.origin.base, method, []) as Holding;
    return { execute: (work) => builder.execute((base) => this.#held(base, work)) };
  }
}

Object.setPrototypeOf(
  Keeping.prototype,
  new Proxy(Kysely.prototype, {
    get(_, name, receiver: Keeping) {
      const base: object = receiver.origin.base;
      const value: unknown = Reflect.get(base, name);
      return typeof value === "function" ? value.bind(base) : value;
    },
  }),
);

/** Where the words of queries lead: each word, and each thing that it is told, leads on to a place of its own. */
class Place {
  kept: Kept | null = null;
  readonly #made: { count: number };
  /** Most places lead on to one only. */
  #onlyWord: unknown = null;
  #only: Place | null = null;
  #others: Map<unknown, Place> | null = null;

  constructor(made: { count: number }) {
    this.#made = made;
  }

  /** Null where there have been too many. */
  after(word: unknown): Place | null {
    if (this.#only !== null && this.#onlyWord === word) return this.#only;
    const known = this.#others?.get(word);
    if (known !== undefined) return known;
    if (this.#made.count >= maxPlaces) return null;
    this.#made.count += 1;
    const place = new Place(this.#made);
    if (this.#only === null) [this.#onlyWord, this.#only] = [word, place];
    else {
      this.#others ??= new Map();
      this.#others.set(word, place);
    }
    return place;
  }
}

/** What is known of the words so far. */
type Words = {
  /** Null where its words and values do not say all of it. */
  place: Place | null;
  values: readonly unknown[];
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
    this.#words = wordsOf(before === null ? { place: origin.start, values: [] } : before.#words, method, args);
  }

  word(method: string, args: readonly unknown[]): Chain {
    return new Chain(this.#origin, this, method, args);
  }

  async execute(): Promise<unknown[]> {
    const { place, values } = this.#words;
    if (place === null) return (await this.kysely("execute")) as unknown[];
    const { query, slots, results } = place.kept ?? this.#query(place);
    const parameters =
      slots === null ? values : slots.map((slot) => ("value" in slot ? values[slot.value] : slot.always));
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

  #query(place: Place): Kept {
    const { values } = this.#words;
    const marks = values.map((_, index) => `${mark}${index}`);
    const query = called(this.#built(marks), "compile", []) as CompiledQuery;
    const slots = query.parameters.map((each) =>
      typeof each === "string" && each.startsWith(mark) ? { value: Number(each.slice(mark.length)) } : { always: each },
    );
    const isInOrder =
      slots.length === values.length && slots.every((slot, index) => "value" in slot && slot.value === index);
    place.kept = { query, slots: isInOrder ? null : slots, results: resultsOf(query) };
    return place.kept;
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

const isRow = (method: string): boolean => method === "values" || method === "set";

/** One with a value that differs from call to call. */
const isComparison = (method: string, args: readonly unknown[]): boolean =>
  method === "where" && args.length === 3 && args[1] !== "is" && args[1] !== "is not";

function wordsOf(before: Words, method: string, args: readonly unknown[]): Words {
  const words: Words = { place: before.place, values: before.values };
  addWord(words, markOf(method));
  if (isRow(method)) addRow(words, args);
  else if (isComparison(method, args)) {
    addWord(words, args[0]);
    addWord(words, args[1]);
    addCompared(words, args[2]);
  } else for (const arg of args) addWord(words, arg);
  return words;
}

function addRow(words: Words, [row, ...rest]: readonly unknown[]): void {
  if (rest.length > 0 || typeof row !== "object" || row === null || Object.getPrototypeOf(row) !== Object.prototype) {
    words.place = null;
    return;
  }
  const values = [...words.values];
  for (const name of Object.keys(row)) {
    const value = (row as Readonly<Record<string, unknown>>)[name];
    words.place = isPlainValue(value) ? (words.place?.after(name) ?? null) : null;
    values.push(value);
  }
  words.values = values;
}

function addCompared(words: Words, compared: unknown): void {
  const isList = Array.isArray(compared);
  const values: readonly unknown[] = isList ? compared : [compared];
  if (values.length === 0 || !values.every(isPlainValue)) words.place = null;
  words.place = words.place?.after(isList ? values.length : aValue) ?? null;
  words.values = [...words.values, ...values];
}

const isPlainValue = (value: unknown): boolean =>
  value === null || typeof value === "string" || typeof value === "number";

/** What says which query it is. */
function addWord(words: Words, word: unknown): void {
  if (words.place === null) return;
  if (word === null || typeof word === "string" || typeof word === "number" || typeof word === "symbol")
    words.place = words.place.after(word);
  else if (Array.isArray(word)) {
    words.place = words.place.after(begin);
    for (const each of word) addWord(words, each);
    words.place = words.place?.after(end) ?? null;
  } else if (typeof word === "function") addFunction(words, word);
  else words.place = null;
}

/** One that is written outside of every call is the same each time, and can close over nothing that changes. */
function addFunction(words: Words, known: object): void {
  const name = functions.get(known);
  if (name === undefined) functions.set(known, Symbol());
  words.place = name === undefined ? null : (words.place?.after(name) ?? null);
}

const begin = Symbol("[");
const end = Symbol("]");
const aValue = Symbol("?");

/** A method is no word that a query may have in it. */
function markOf(method: string): symbol {
  const known = methods.get(method);
  if (known !== undefined) return known;
  const made = Symbol(method);
  methods.set(method, made);
  return made;
}

const methods = new Map<string, symbol>();

const mark = "\u0000value ";
const functions = new WeakMap<object, symbol>();

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
