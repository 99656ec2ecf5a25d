import {
  type CompiledQuery,
  DeleteResult,
  InsertResult,
  type Kysely,
  NoResultError,
  type QueryNode,
  type QueryResult,
  UpdateResult,
} from "kysely";

/** Runs a query where its database object does: by itself, or in the transaction that is open. */
export type Run = (query: CompiledQuery) => Promise<QueryResult<unknown>>;

/** A query that was compiled once, and where its values go. */
type Template = {
  readonly query: CompiledQuery;
  /** For each parameter: the number of the value that it takes, or what it always is. */
  readonly slots: readonly ({ readonly value: number } | { readonly always: unknown })[];
  readonly results: (result: QueryResult<unknown>) => unknown[];
};

type Builder = Readonly<Record<string, (...args: unknown[]) => unknown>>;
type Step = { readonly method: string; readonly args: readonly unknown[] };

const templates = new Map<string, Template>();
/** Statements are few and written in the code; the limit only guards against a key with values in it. */
const maxTemplates = 2_000;

/**
 * The same database, whose queries are built and compiled once for each place in the code that asks them: to do it anew costs more
 * than to run one. What it cannot tell by its words and the shape of its values, such as a closure, is built anew each time.
 */
export function templated<DB>(db: Kysely<DB>, run: Run, inTransaction: Run): Kysely<DB> {
  const start =
    (base: Kysely<DB>, runs: Run, method: string) =>
    (...args: unknown[]) =>
      new Chain(base as unknown as Builder, runs).step(method, args);
  const around = (base: Kysely<DB>, runs: Run): Kysely<DB> => {
    const own: Record<string, unknown> = Object.fromEntries(
      ["selectFrom", "insertInto", "updateTable", "deleteFrom"].map((method) => [method, start(base, runs, method)]),
    );
    own.transaction = () => ({
      execute: <T>(work: (trx: Kysely<DB>) => Promise<T>) =>
        base.transaction().execute((trx) => work(around(trx, inTransaction))),
    });
    return new Proxy(base, {
      get(target, name) {
        const known = own[name as string];
        if (known !== undefined) return known;
        const value: unknown = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  };
  return around(db, run);
}

/** A query that is being built: the words so far, and the values. */
class Chain {
  readonly #base: Builder;
  readonly #run: Run;
  readonly #steps: Step[] = [];
  readonly #values: unknown[] = [];
  #key = "";
  #isPlain = true;

  constructor(base: Builder, run: Run) {
    this.#base = base;
    this.#run = run;
  }

  /** Builders are used once in the engine, so one that grows needs no copy. */
  step(method: string, args: readonly unknown[]): this {
    this.#steps.push({ method, args });
    this.#key += `${method}(`;
    if (method === "where" && args.length === 3) this.#where(args);
    else if (method === "values" || method === "set") this.#row(args);
    else for (const arg of args) this.#word(arg);
    return this;
  }

  async execute(): Promise<unknown[]> {
    if (!this.#isPlain) return (await this.#real("execute")) as unknown[];
    const { query, slots, results } = this.#template();
    const parameters = slots.map((slot) => ("value" in slot ? this.#values[slot.value] : slot.always));
    return results(await this.#run({ ...query, parameters }));
  }

  async executeTakeFirst(): Promise<unknown> {
    return (await this.execute())[0];
  }

  async executeTakeFirstOrThrow(): Promise<unknown> {
    const [first] = await this.execute();
    if (first === undefined) throw new NoResultError(this.toOperationNode() as QueryNode);
    return first;
  }

  as(name: string): unknown {
    return this.#real("as", name);
  }

  compile(): unknown {
    return this.#real("compile");
  }

  toOperationNode(): unknown {
    return this.#real("toOperationNode");
  }

  #where([column, operator, value]: readonly unknown[]): void {
    this.#word(column);
    this.#word(operator);
    if (operator === "is" || operator === "is not") this.#word(value);
    else if (Array.isArray(value)) {
      this.#key += `[${value.length}`;
      if (value.length === 0) this.#isPlain = false;
      for (const each of value) this.#value(each);
    } else this.#value(value);
  }

  #row([row, ...rest]: readonly unknown[]): void {
    if (rest.length > 0 || typeof row !== "object" || row === null || Object.getPrototypeOf(row) !== Object.prototype) {
      this.#isPlain = false;
      return;
    }
    for (const [name, value] of Object.entries(row)) {
      this.#key += `${name}:`;
      this.#value(value);
    }
  }

  /** What differs from call to call. */
  #value(value: unknown): void {
    this.#key += "?";
    if (value === null || typeof value === "string" || typeof value === "number") this.#values.push(value);
    else this.#isPlain = false;
  }

  /** What says which query it is. */
  #word(word: unknown): void {
    if (word === null || typeof word === "string" || typeof word === "number") this.#key += `${word},`;
    else if (Array.isArray(word)) for (const each of word) this.#word(each);
    else if (typeof word === "function") this.#function(word);
    else this.#isPlain = false;
  }

  /** One that is written outside of every call is the same each time, and can close over nothing that changes. */
  #function(known: object): void {
    const number = functions.get(known);
    if (number === undefined) {
      functions.set(known, functionCount++);
      this.#isPlain = false;
    } else this.#key += `#${number},`;
  }

  #template(): Template {
    const known = templates.get(this.#key);
    if (known !== undefined) return known;
    const marks = this.#values.map((_, index) => `${mark}${index}`);
    const query = this.#built(marks).compile?.() as CompiledQuery;
    const slots = query.parameters.map((each) =>
      typeof each === "string" && each.startsWith(mark) ? { value: Number(each.slice(mark.length)) } : { always: each },
    );
    const template: Template = { query, slots, results: resultsOf(query) };
    if (templates.size < maxTemplates) templates.set(this.#key, template);
    return template;
  }

  #real(method: string, ...args: readonly unknown[]): unknown {
    return this.#built(null)[method]?.(...args);
  }

  /** By Kysely itself; with these in the place of the values. */
  #built(marks: readonly string[] | null): Builder {
    let next = 0;
    const marked = (value: unknown): unknown => (marks === null ? value : marks[next++]);
    let builder = this.#base;
    for (const { method, args } of this.#steps) {
      const given = args.map((arg, index) => {
        if (method === "values" || method === "set")
          return marks === null
            ? arg
            : Object.fromEntries(Object.entries(arg as object).map(([name, value]) => [name, marked(value)]));
        if (method !== "where" || args.length !== 3 || index !== 2) return arg;
        if (args[1] === "is" || args[1] === "is not") return arg;
        return Array.isArray(arg) ? arg.map(marked) : marked(arg);
      });
      const built = builder[method]?.(...given);
      if (built === undefined) throw new Error(`a query has no ${method}`);
      builder = built as Builder;
    }
    return builder;
  }
}

const mark = "\u0000value ";
const functions = new WeakMap<object, number>();
let functionCount = 0;

/** As Kysely's builders make them of what the driver tells. */
function resultsOf({ query }: CompiledQuery): Template["results"] {
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

/** The words that go on with a query. */
const words = [
  "select",
  "selectAll",
  "distinct",
  "where",
  "whereRef",
  "innerJoin",
  "leftJoin",
  "orderBy",
  "groupBy",
  "limit",
  "offset",
  "values",
  "set",
  "onConflict",
  "returning",
  "returningAll",
];
for (const word of words)
  Object.defineProperty(Chain.prototype, word, {
    value(this: Chain, ...args: unknown[]) {
      return this.step(word, args);
    },
  });
