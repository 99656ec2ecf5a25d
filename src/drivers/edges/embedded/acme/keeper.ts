import { X509Certificate } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { readJsonFile, writeJsonFile } from "../../../../lib/json-file.ts";
import type { Challenges } from "../messages.ts";
import { AccountKey, newKeyPem } from "./account-key.ts";
import { AcmeClient, AcmeProblem } from "./acme-client.ts";
import { orderCertificate } from "./order.ts";
import { pauseMs, renewAtMs } from "./schedule.ts";
import type { WantedCertificate } from "./wanted.ts";

/** A call that asks again although the last failure is younger is not heard, but for one that insists. */
const leastBetweenMs = 60_000;
/** Clocks are set and machines sleep: nothing is waited for longer without a look. */
const longestWaitMs = 3_600_000;
const maxCaFileBytes = 1_048_576;

/** What became of the newest attempts, kept so that an edge that starts again and again does not ask again and again. */
type Failed = {
  readonly failures: number;
  readonly atMs: number;
  readonly retryAtMs: number;
  readonly trouble: string;
};

export type KeeperHooks = {
  /** Resolves when every plain listener answers these challenges. */
  readonly challenge: (open: Challenges) => Promise<void>;
  /** A file has been replaced; resolves when it is served. */
  readonly renewed: () => Promise<void>;
};

/** Gets certificates and renews them, one after the other, until `stop`. There is one in an edge: in its primary. */
export class CertificateKeeper {
  readonly #stateFile: string;
  readonly #hooks: KeeperHooks;
  readonly #stopped = new AbortController();
  readonly #open = new Map<string, string>();
  readonly #renewals = new Map<string, number>();
  #wanted: readonly WantedCertificate[] = [];
  #failed: Record<string, Failed> = {};
  #timer: NodeJS.Timeout | null = null;
  #round: Promise<void> | null = null;
  #restored = false;

  constructor(directory: string, hooks: KeeperHooks) {
    this.#stateFile = join(directory, "acme", "state.json");
    this.#hooks = hooks;
  }

  /** From now on these. `insist` asks for what has failed at once, however lately that was. */
  async want(wanted: readonly WantedCertificate[], { insist }: { readonly insist: boolean }): Promise<void> {
    if (!this.#restored)
      this.#failed = (await readJsonFile<Record<string, Failed>>(this.#stateFile).catch(() => null)) ?? {};
    this.#restored = true;
    this.#wanted = wanted;
    // Looked at again: somebody may have removed or restored files.
    this.#renewals.clear();
    const files = new Set(wanted.map(({ file }) => file));
    this.#failed = Object.fromEntries(Object.entries(this.#failed).filter(([file]) => files.has(file)));
    const now = Date.now();
    for (const { file } of wanted) {
      const failed = this.#failed[file];
      if (failed !== undefined && (insist || now - failed.atMs > leastBetweenMs))
        this.#failed[file] = { ...failed, retryAtMs: now };
    }
    this.#lookAfter(0);
  }

  /** Why the newest attempt for the host failed; that it is under way when there is no certificate yet; else null. */
  trouble(host: string, missing: boolean): string | null {
    const wanted = this.#wanted.filter((one) => one.host === host);
    for (const { file, impossible } of wanted) {
      const trouble = impossible ?? this.#failed[file]?.trouble;
      if (trouble != null) return trouble;
    }
    return missing && wanted[0] !== undefined
      ? `not there yet: asked for at ${new URL(wanted[0].directoryUrl).host}`
      : null;
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#round;
  }

  #lookAfter(ms: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#stopped.signal.aborted) return;
    this.#timer = setTimeout(() => void this.#look(), Math.min(longestWaitMs, Math.max(0, ms)));
  }

  /** Gets what is due, then waits for what is due next. */
  async #look(): Promise<void> {
    // One that is under way looks again by itself.
    if (this.#round !== null) return;
    this.#round = this.#getDue();
    await this.#round;
    this.#round = null;
    const dues = await Promise.all(this.#wanted.map((one) => this.#dueMs(one)));
    this.#lookAfter(Math.min(...dues, Number.POSITIVE_INFINITY) - Date.now());
  }

  async #getDue(): Promise<void> {
    for (const wanted of this.#wanted) {
      if (this.#stopped.signal.aborted) return;
      if ((await this.#dueMs(wanted)) > Date.now()) continue;
      try {
        await this.#get(wanted);
        delete this.#failed[wanted.file];
      } catch (error) {
        if (this.#stopped.signal.aborted) return;
        this.#remember(wanted, error);
      }
      await writeJsonFile(this.#stateFile, this.#failed).catch((error: unknown) =>
        console.error("edge.acme-state-unwritten", error),
      );
    }
  }

  async #dueMs({ file, impossible }: WantedCertificate): Promise<number> {
    if (impossible !== null) return Number.POSITIVE_INFINITY;
    const failed = this.#failed[file];
    if (failed !== undefined) return failed.retryAtMs;
    const known = this.#renewals.get(file);
    if (known !== undefined) return known;
    const pem = await readFile(file, "utf8").catch(() => null);
    if (pem === null) return 0;
    try {
      const { validFrom, validTo } = new X509Certificate(pem);
      const life = { fromMs: Date.parse(validFrom), untilMs: Date.parse(validTo) };
      const due = renewAtMs(life, Math.random());
      this.#renewals.set(file, due);
      return due;
    } catch {
      // What cannot be read cannot be served either.
      return 0;
    }
  }

  async #get({ host, file, directoryUrl, caFile, email }: WantedCertificate): Promise<void> {
    const key = new AccountKey(await this.#accountKeyPem(dirname(file)));
    const ca = caFile === null ? null : await readCa(caFile);
    const client = new AcmeClient({ directoryUrl, ca, email }, key, this.#stopped.signal);
    try {
      await client.open();
      const pem = await orderCertificate(client, host, (token, answer) => this.#publish(token, answer));
      await writePrivate(file, pem);
      this.#renewals.delete(file);
      await this.#hooks.renewed();
      console.log("edge.certificate-got", host);
    } finally {
      await client.close();
    }
  }

  async #publish(token: string, answer: string): Promise<() => Promise<void>> {
    this.#open.set(token, answer);
    await this.#hooks.challenge([...this.#open]);
    return async () => {
      this.#open.delete(token);
      await this.#hooks.challenge([...this.#open]);
    };
  }

  #remember({ file, host }: WantedCertificate, error: unknown): void {
    const now = Date.now();
    const failures = (this.#failed[file]?.failures ?? 0) + 1;
    const { kind, retryAfterMs } = error instanceof AcmeProblem ? error : { kind: "away" as const, retryAfterMs: 0 };
    const trouble = error instanceof Error ? error.message : String(error);
    const retryAtMs = now + pauseMs({ kind, failures, retryAfterMs }, Math.random());
    this.#failed[file] = { failures, atMs: now, retryAtMs, trouble };
    console.error("edge.certificate-not-got", host, trouble);
  }

  /** One account a CA. Made once: an account that is lost is no harm, but its limits are. */
  async #accountKeyPem(directory: string): Promise<string> {
    const file = join(directory, "account.key");
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const known = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return null;
      throw error;
    });
    if (known !== null) return known;
    const pem = newKeyPem();
    await writePrivate(file, pem);
    return pem;
  }
}

async function readCa(file: string): Promise<string> {
  const pem = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new AcmeProblem("away", `${file} cannot be read: ${(cause as NodeJS.ErrnoException).code}`, { cause });
  });
  if (pem.length > maxCaFileBytes || !pem.includes("-----BEGIN CERTIFICATE-----"))
    throw new AcmeProblem("away", `${file} is no certificate in PEM`);
  return pem;
}

/** Replaced in one step, readable by nobody else from its first byte on. */
async function writePrivate(file: string, text: string): Promise<void> {
  const temporary = `${file}.tmp`;
  await rm(temporary, { force: true });
  const handle = await open(temporary, "wx", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
}
