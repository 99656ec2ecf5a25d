import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { reasonOf, SlipwayError } from "../../../core/errors/error.ts";
import type { RevisionId } from "../../../core/ids.ts";
import type { CertificateStatus, Edge, EdgeCan, EdgeConfig, EdgeSample, RouteTable } from "../../../ports/edge.ts";
import { type Acknowledged, acknowledged, acknowledgingSocket, askSocket, load, requestsUnderWay } from "./admin.ts";
import { copyCertificates } from "./certificate-files.ts";
import { servedCertificates } from "./certificates.ts";
import { checkTable } from "./check-table.ts";
import { type Compiled, compileConfig } from "./config/compile.ts";
import { leaving } from "./config/service.ts";
import { ackFolder, serviceFolder } from "./paths.ts";
import type { Place } from "./place.ts";
import { Publisher, type PublishOptions } from "./publish.ts";
import { checkVersion } from "./version.ts";
import type { Witness } from "./witness.ts";

const upWithinMs = 15_000;
const acknowledgedWithinMs = 5_000;
const goneWithinMs = 5_000;
const pollMs = 10;
/** Clients that ask within this time leave the connections that a new config closes; those that are idle for longer do not race. */
const goodbyeMs = 1_000;

/** Caddy in a place, by orders to it and files beside it. Orders are carried out one after the other. */
export class CaddyEdge implements Edge {
  readonly name = "caddy";
  readonly can: EdgeCan;
  readonly #place: Place;
  readonly #witness: Witness;
  readonly #publisher = new Publisher();
  /** Whose an address was before it was given to another, or to nobody: what a drain waits for. */
  readonly #owners = new Map<string, RevisionId>();
  #last: Promise<unknown> = Promise.resolve();
  #versionChecked = false;
  #watch: NodeJS.Timeout | null = null;
  /** What the config in force was made from, so that it need not be made again to see that it is the same. */
  #loaded: { readonly inputs: string; readonly digest: string } | null = null;
  /** The config with the certificates that Caddy was given last. */
  #copied = "";

  constructor(place: Place, witness: Witness) {
    this.#place = place;
    this.#witness = witness;
    this.can = {
      hold: witness.hold !== null,
      exactDrain: false,
      sticky: true,
      ipRateLimit: false,
      chunkedBodyLimit: true,
      connectErrors: true,
      acme: true,
      http2: true,
      http3: true,
      resetsOnReconfigure: true,
    };
  }

  start(config: EdgeConfig, options?: { readonly fresh?: boolean }): Promise<void> {
    return this.#inTurn(async () => {
      const { paths } = this.#place;
      if (!this.#versionChecked) checkVersion(await this.#place.version());
      this.#versionChecked = true;
      await this.#place.prepare();
      if (options?.fresh === true) await this.#witness.renew();
      const table = await this.current();
      const compiled = await this.#compile(config, table);
      if (table !== null) await this.#witness.routed(table);
      // Slots are not flushed to disk for each switch: after a power loss they may be torn, and are written anew.
      const boot = await this.#place.read("/proc/sys/kernel/random/boot_id");
      const isUp = await this.#isUp();
      if (!isUp || boot === null || boot !== (await this.#place.read(`${paths.directory}/boot`)))
        await this.#publish(table, { held: new Set() });
      if (boot !== null) await this.#place.write(`${paths.directory}/boot`, boot);
      if (!isUp) await this.#launch(config);
      await this.#configure(compiled, table);
      await this.#place.write(`${paths.directory}/edge.json`, JSON.stringify(config));
      this.#watchFiles(config);
    });
  }

  apply(table: RouteTable): Promise<void> {
    return this.#inTurn(async () => {
      const [before, config] = await Promise.all([this.current(), this.#config()]);
      checkTable(table, before, config);
      if (before !== null && before.generation === table.generation) return;
      const held = await this.#witness.routed(table);
      this.#remember(before);
      this.#remember(table);
      const now = await this.#acknowledged();
      if (now === null) throw new SlipwayError("EDGE_UNREACHABLE", { message: "Caddy does not answer" });
      if (this.#loaded?.inputs === inputsOf(config, table) && this.#loaded.digest === now.digest) {
        // What nearly every table is: nothing to compile, nothing to load.
        await this.#seen(now.digest, await this.#publish(table, { held }));
        return;
      }
      const compiled = await this.#compile(config, table);
      if (now.digest === compiled.digest) {
        await this.#seen(compiled.digest, await this.#publish(table, { held }));
      } else {
        const liveAs = await this.#sayGoodbye(before, now.digest, held);
        const stamp = await this.#publish(table, { held, also: before, liveAs });
        try {
          await this.#configure(compiled, null);
        } catch (error) {
          await this.#publish(before, { held });
          throw error;
        }
        await this.#seen(compiled.digest, stamp);
      }
      this.#loaded = { inputs: inputsOf(config, table), digest: compiled.digest };
    }, true);
  }

  async current(): Promise<RouteTable | null> {
    const text = await this.#place.read(`${this.#place.paths.current}/table`);
    try {
      return text === null ? null : (JSON.parse(text) as RouteTable);
    } catch {
      // Torn by a power loss: what was in force is not known, and the next table replaces it.
      return null;
    }
  }

  hold(service: string, until: { readonly maxMs: number; readonly maxQueued: number } | null): Promise<void> {
    return this.#inTurn(async () => {
      const { hold } = this.#witness;
      const table = await this.current();
      if (hold === null || table === null) return;
      const folder = serviceFolder(service);
      // The gate is there before the first is sent to it, and goes when nobody is sent to it any more.
      if (until !== null) await hold({ folder, until });
      const held = new Set(await this.#witness.routed(table));
      if (until === null) held.delete(folder);
      await this.#seen(null, await this.#publish(table, { held }));
      if (until === null) await hold({ folder, until });
    }, true);
  }

  async drain(
    revision: RevisionId,
    limits: { readonly timeoutMs: number; readonly streamLimitMs: number },
  ): Promise<{ readonly inflight: number }> {
    const until = performance.now() + limits.timeoutMs;
    const table = await this.current();
    this.#remember(table);
    const addresses = this.#leaving(revision, table);
    const admin = await this.#place.socket(this.#place.paths.adminSocket);
    for (;;) {
      const underWay = await requestsUnderWay(admin);
      // Before 2.11 Caddy counts by slot alone, so the drain waits for a moment in which nothing is under way at all.
      const exact = [...underWay.keys()].some((key) => key !== null) || (underWay.get(null) ?? 0) === 0;
      const inflight = exact
        ? addresses.reduce((sum, address) => sum + (underWay.get(address) ?? 0), 0)
        : (underWay.get(null) ?? 0);
      if (inflight === 0 || performance.now() > until) return { inflight };
      await sleep(pollMs);
    }
  }

  samples(signal: AbortSignal): AsyncIterable<EdgeSample> {
    return this.#witness.samples(signal);
  }

  async certificates(): Promise<readonly CertificateStatus[]> {
    const config = await this.#configOrNull();
    if (config === null) return [];
    const { troubles } = await copyCertificates(config, this.#place);
    return servedCertificates(config, this.#place, { ...(await this.#witness.troubles()), ...troubles });
  }

  stop(graceMs: number): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#watch !== null) clearInterval(this.#watch);
      this.#watch = null;
      const { adminSocket } = this.#place.paths;
      try {
        if (!(await this.#isUp())) return;
        const admin = await this.#place.socket(adminSocket);
        // One that cannot be told so is stopped all the same.
        const dismissed = this.#dismiss(admin, graceMs).catch(() => undefined);
        await Promise.race([dismissed, sleep(graceMs + goneWithinMs, undefined, { ref: false })]);
        await askSocket(admin, "POST", "/stop").catch(() => undefined);
        const gone = performance.now() + goneWithinMs;
        while ((await this.#isUp()) && performance.now() < gone) await sleep(pollMs);
      } finally {
        await this.#witness.stop();
        await this.#place.close();
      }
    });
  }

  /** Listeners close and requests go on, for the grace. */
  async #dismiss(admin: string, graceMs: number): Promise<void> {
    const config = await this.#config();
    const nothing = await this.#compile({ ...config, listeners: [] }, null);
    await load(admin, nothing.text, { again: false });
    // What keeps Caddy up must not bring the listeners back.
    await this.#place.write(this.#place.paths.configFile, nothing.text);
    const until = performance.now() + graceMs;
    while (sum(await requestsUnderWay(admin)) > 0 && performance.now() < until) await sleep(pollMs);
  }

  /**
   * Brings Caddy to a config, unless it has it. Clients of `served` are asked to leave their connections before. Nothing
   * changes when it refuses.
   */
  async #configure(compiled: Compiled, served: RouteTable | null): Promise<void> {
    const { paths } = this.#place;
    const now = await this.#acknowledged();
    if (now?.digest !== compiled.digest) {
      if (served !== null && now !== null)
        await this.#sayGoodbye(served, now.digest, new Set(await this.#witness.routed(served)));
      await load(await this.#place.socket(paths.adminSocket), compiled.text, { again: false });
      await this.#seen(compiled.digest, null);
      // Only now: a config that is refused must not be what Caddy is started with next.
      await this.#place.write(paths.configFile, compiled.text);
      await this.#place.perform([{ is: "keep", folder: ackFolder, names: [compiled.ack] }]);
    }
  }

  /**
   * The config that is about to go closes idle connections without a word, and a request that is just being sent on one is
   * lost. So its answers say `Connection: close` for a moment before: measured, 8 of 8 busy connections were cut without it.
   */
  async #sayGoodbye(table: RouteTable | null, digest: string, held: ReadonlySet<string>): Promise<string | null> {
    if (table === null || table.routes.length === 0) return null;
    const liveAs = leaving(digest);
    await this.#publish(table, { held, liveAs });
    await sleep(goodbyeMs);
    return liveAs;
  }

  /** Moves the slots; resolves with what Caddy will say of them. */
  async #publish(
    table: RouteTable | null,
    options: Pick<PublishOptions, "held"> & Partial<PublishOptions>,
  ): Promise<string> {
    const { steps, stamp } = this.#publisher.steps(table, { also: null, liveAs: null, ...options });
    await this.#place.perform(steps);
    return stamp;
  }

  /** Resolves when Caddy itself has said that it works by them. */
  async #seen(digest: string | null, stamp: string | null): Promise<void> {
    const until = performance.now() + acknowledgedWithinMs;
    for (;;) {
      const now = await this.#acknowledged();
      if (now !== null && (digest ?? now.digest) === now.digest && (stamp ?? now.stamp) === now.stamp) return;
      if (performance.now() > until)
        throw new SlipwayError("EDGE_UNREACHABLE", {
          message: `Caddy did not say within ${acknowledgedWithinMs / 1000} s that it works by the new table`,
          evidence: [
            ["wanted", `config ${digest ?? "any"}, table ${stamp ?? "any"}`],
            ["caddy says", now === null ? "nothing" : `config ${now.digest}, table ${now.stamp}`],
          ],
          hint: "check that Caddy may read the edge's directory",
        });
      await sleep(pollMs);
    }
  }

  /** On the config it had last, or on one without listeners: then loading the real one says what is wrong with it. */
  async #launch(config: EdgeConfig): Promise<void> {
    const { paths } = this.#place;
    if ((await this.#place.read(paths.configFile)) === null)
      await this.#place.write(paths.configFile, (await this.#compile({ ...config, listeners: [] }, null)).text);
    await this.#place.launchCaddy();
    const until = performance.now() + upWithinMs;
    while (!(await this.#isUp())) {
      if (performance.now() > until)
        throw new SlipwayError("EDGE_UNREACHABLE", {
          message: `Caddy did not come up within ${upWithinMs / 1000} s`,
          evidence: [["config", paths.configFile]],
        });
      await sleep(pollMs);
    }
  }

  async #isUp(): Promise<boolean> {
    return (await this.#acknowledged()) !== null;
  }

  async #acknowledged(): Promise<Acknowledged | null> {
    const socket = await acknowledgingSocket(await this.#place.socket(this.#place.paths.adminSocket));
    return socket === null ? null : acknowledged(await this.#place.socket(socket));
  }

  /** What no table of the last ones needs is removed after the order, so that nobody waits for it. */
  async #tidy(): Promise<void> {
    await this.#place.perform(this.#publisher.tidy());
  }

  async #compile(config: EdgeConfig, table: RouteTable | null): Promise<Compiled> {
    const copies = await copyCertificates(config, this.#place);
    this.#copied = JSON.stringify(copies.config);
    const counting = await this.#witness.ready();
    const ack = randomBytes(4).toString("hex");
    return compileConfig(copies.config, table, { counting, paths: this.#place.paths, ack });
  }

  /** Renewed files are taken up without anybody's order, for as long as this object lives. */
  #watchFiles(config: EdgeConfig): void {
    if (this.#watch !== null) clearInterval(this.#watch);
    this.#watch = null;
    if (!config.listeners.some(({ tls }) => (tls?.certificates.length ?? 0) > 0)) return;
    const watch = setInterval(() => {
      void copyCertificates(config, this.#place)
        .then((copies) =>
          // One that was stopped meanwhile is not started again.
          this.#watch !== watch || JSON.stringify(copies.config) === this.#copied ? undefined : this.start(config),
        )
        // What is wrong with a file is told by `certificates`; the next look may find it mended.
        .catch(() => undefined);
    }, this.#place.filesEveryMs).unref();
    this.#watch = watch;
  }

  async #config(): Promise<EdgeConfig> {
    const config = await this.#configOrNull();
    if (config === null) throw new SlipwayError("EDGE_UNREACHABLE", { message: "The edge was never started" });
    return config;
  }

  async #configOrNull(): Promise<EdgeConfig | null> {
    const text = await this.#place.read(`${this.#place.paths.directory}/edge.json`);
    return text === null ? null : (JSON.parse(text) as EdgeConfig);
  }

  #remember(table: RouteTable | null): void {
    for (const { targets } of Object.values(table?.services ?? {}))
      for (const { revision, instances } of targets)
        for (const { address } of instances) this.#owners.set(address, revision);
  }

  /** Addresses to which no new request goes: all of a revision without a share, else those that the table left out. */
  #leaving(revision: RevisionId, table: RouteTable | null): string[] {
    const targets = Object.values(table?.services ?? {}).flatMap((service) => service.targets);
    const named = targets
      .filter((target) => target.revision === revision && target.weight > 0)
      .flatMap((target) => target.instances.map((instance) => instance.address));
    return [...this.#owners]
      .filter(([address, owner]) => owner === revision && !named.includes(address))
      .map(([address]) => address);
  }

  #inTurn<T>(work: () => Promise<T>, tidies = false): Promise<T> {
    const next = this.#last.then(work, work).catch((error: unknown) => {
      if (error instanceof SlipwayError) throw error;
      throw new SlipwayError("EDGE_UNREACHABLE", {
        message: `The edge could not be told: ${reasonOf(error)}`,
        cause: error,
      });
    });
    this.#last = next.then(() => (tidies ? this.#tidy() : undefined)).catch(() => undefined);
    return next;
  }
}

/** Everything of a table and a config that Caddy's config is made from, but for the certificates' files. */
function inputsOf(config: EdgeConfig, table: RouteTable): string {
  const services = Object.entries(table.services).map(([name, { sticky }]) => [name, sticky]);
  return JSON.stringify([config, table.routes, services]);
}

function sum(counts: ReadonlyMap<unknown, number>): number {
  return [...counts.values()].reduce((total, count) => total + count, 0);
}
