import { Wire } from "./wire.ts";

/** What a Redis answers (RESP 2). Errors are values: one command of several may fail. */
export type RedisValue = string | number | null | RedisError | readonly RedisValue[];

export class RedisError extends Error {}

const maxElements = 10_000;
const maxDepth = 8;

/** A few commands to a Redis over one connection. Nothing is sent twice, nothing is reconnected. */
export class Redis {
  readonly #wire: Wire;

  private constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** `redis://user:password@host:6379/0`, `rediss://` for TLS. Logs in and selects the database. Rejects when it may not. */
  static async open(url: URL, signal: AbortSignal): Promise<Redis> {
    const { hostname, port, protocol } = url;
    const host = hostname.replace(/^\[|\]$/g, "") || "127.0.0.1";
    const tls = protocol === "rediss:" ? { tls: { servername: host, verify: true } } : {};
    const wire = await Wire.open({ host, port: Number(port || 6379), signal, ...tls });
    const redis = new Redis(wire);
    try {
      const password = decodeURIComponent(url.password);
      const user = decodeURIComponent(url.username);
      if (password !== "") await redis.must(user === "" ? ["AUTH", password] : ["AUTH", user, password]);
      const database = url.pathname.replace(/^\//, "");
      if (database !== "" && database !== "0") await redis.must(["SELECT", database]);
      return redis;
    } catch (error) {
      wire.close();
      throw error;
    }
  }

  /** All at once; answers in the same order. */
  async ask(commands: readonly (readonly string[])[]): Promise<readonly RedisValue[]> {
    this.#wire.write(commands.map(encode).join(""));
    const answers: RedisValue[] = [];
    for (const _ of commands) answers.push(await this.#answer(0));
    return answers;
  }

  /** One, whose error is thrown. */
  async must(command: readonly string[]): Promise<RedisValue> {
    const [answer = null] = await this.ask([command]);
    if (answer instanceof RedisError) throw answer;
    return answer;
  }

  close(): void {
    this.#wire.close();
  }

  async #answer(depth: number): Promise<RedisValue> {
    const line = await this.#wire.readLine();
    const rest = line.slice(1);
    switch (line[0]) {
      case "+":
        return rest;
      case "-":
        return new RedisError(rest);
      case ":":
        return sizeOf(rest);
      case "$": {
        const length = sizeOf(rest);
        if (length < 0) return null;
        return (await this.#wire.read(length + 2)).subarray(0, length).toString("utf8");
      }
      case "*": {
        const length = sizeOf(rest);
        if (length < 0) return null;
        if (length > maxElements || depth >= maxDepth) throw new Error("its answer is larger than was asked for");
        const values: RedisValue[] = [];
        for (let index = 0; index < length; index += 1) values.push(await this.#answer(depth + 1));
        return values;
      }
      default:
        throw new Error(`it does not speak as a Redis: ${JSON.stringify(line.slice(0, 40))}`);
    }
  }
}

function sizeOf(text: string): number {
  const size = Number(text);
  if (!Number.isSafeInteger(size))
    throw new Error(`it does not speak as a Redis: ${JSON.stringify(text.slice(0, 40))}`);
  return size;
}

function encode(command: readonly string[]): string {
  const parts = command.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`);
  return `*${command.length}\r\n${parts.join("")}`;
}
