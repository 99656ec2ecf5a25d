import { dirname } from "node:path";
import type { SecretView } from "../../api/contract.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import { findConfig } from "../config/find.ts";
import { type GlobalOptions, withRunning, withSession } from "../session.ts";
import { askSecret } from "../terminal/ask-secret.ts";
import { sign, style, table } from "../terminal/style.ts";
import { ago } from "../terminal/words.ts";

export type SecretOptions = GlobalOptions & { readonly env: string; readonly reason?: string };

/** Largest value that is read; an environment variable cannot be larger. */
const maxBytes = 100_000;

/** Keeps a value for the releases to come: read from a pipe, or asked for without showing it. Never an argument: all users see those. */
export function setSecret(name: string, options: SecretOptions): Promise<number> {
  return withSession(options, async (session) => {
    await mustBeAPlace(options.env);
    const value = await readValue(name);
    if (value === null) return 130;
    const { changed } = await session.client.post<{ changed: boolean }>("/v1/secrets", {
      product: session.product,
      environment: options.env,
      name,
      value,
      actor: session.actor,
      reason: options.reason ?? "",
    });
    session.out.json({ name, environment: options.env, changed });
    const isPlace = places.includes(options.env);
    session.out.line(
      changed && isPlace
        ? `${style.good(sign.done)} ${name} is set in ${options.env}, from now on`
        : changed
          ? `${style.good(sign.done)} ${name} is set in ${options.env}, for releases that are made from now on: slipway deploy`
          : `${style.good(sign.done)} ${name} has that value in ${options.env} already`,
    );
    return 0;
  });
}

export function unsetSecret(name: string, options: SecretOptions): Promise<number> {
  return withSession(options, async (session) => {
    await session.client.post("/v1/secrets/unset", {
      product: session.product,
      environment: options.env,
      name,
      actor: session.actor,
      reason: options.reason ?? "",
    });
    session.out.json({ name, environment: options.env });
    session.out.line(`${style.good(sign.done)} ${name} is unset in ${options.env}; releases that have it keep it`);
    return 0;
  });
}

/** Names, versions, who and when; never a value. */
export function listSecrets(options: GlobalOptions & { readonly env?: string }): Promise<number> {
  return withRunning(options, async (session) => {
    const query = new URLSearchParams({
      product: session.product,
      ...(options.env === undefined ? {} : { environment: options.env }),
    });
    const { secrets } = await session.client.get<{ secrets: SecretView[] }>(`/v1/secrets?${query}`);
    session.out.json({ secrets });
    if (secrets.length === 0) session.out.line("no secret is set; run: slipway secret set <name> -e <environment>");
    for (const line of table(secrets.map(row))) session.out.line(line);
    return 0;
  });
}

function row(secret: SecretView): string[] {
  const users = secret.usedBy.length === 0 ? style.quiet("not used by what is live") : secret.usedBy.join(", ");
  return [
    secret.environment,
    style.name(secret.name),
    `version ${secret.version}`,
    style.quiet(`${secret.setBy}, ${ago(secret.setAt, Date.now())}`),
    users,
    secret.pending ? style.warn(`${sign.warn} not live yet: slipway deploy -e ${secret.environment}`) : "",
  ];
}

async function readValue(name: string): Promise<string | null> {
  if (process.stdin.isTTY === true) {
    const typed = await askSecret(`${name}: `);
    if (typed === "") throw empty(name);
    return typed;
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes)
      throw new SlipwayError("USAGE", { message: `the value of ${name} has more than ${maxBytes} bytes` });
    chunks.push(chunk);
  }
  // What `echo` puts at the end is not meant.
  const value = Buffer.concat(chunks)
    .toString("utf8")
    .replace(/\r?\n$/, "");
  if (value === "") throw empty(name);
  if (value.includes("\0")) throw new SlipwayError("USAGE", { message: `the value of ${name} holds a NUL` });
  return value;
}

function empty(name: string): SlipwayError {
  return new SlipwayError("USAGE", {
    message: `${name} was given no value`,
    hint: `run: slipway secret set ${name} -e <environment> < file; to take it away: slipway secret unset ${name}`,
  });
}

/** Of steps and of webhooks: no environments, and never given to a service. */
const places: readonly string[] = ["pipeline", "triggers"];

/** A typing error would keep a value that nothing ever reads. */
async function mustBeAPlace(environment: string): Promise<void> {
  if (places.includes(environment)) return;
  const { loadConfig } = await import("../config/load.ts");
  const { resolveEnvironment } = await import("../../core/product/resolve.ts");
  const { config } = await loadConfig({ directory: dirname(findConfig(process.cwd())) });
  resolveEnvironment(config, environment);
}
