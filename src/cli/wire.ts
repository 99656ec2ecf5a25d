import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { reasonOf } from "../core/errors/error.ts";
import type { MeasuredSpec } from "../core/product/probe-spec.ts";
import type { ProductConfig } from "../core/product/schema.ts";
import type { DockerTargetSpec, HostSpec, TargetSpec } from "../core/product/spec.ts";
import { Secret } from "../core/secret.ts";
import { buildForStep } from "../drivers/builders/docker/for-step.ts";
import { dockerBuilder } from "../drivers/builders/docker/index.ts";
import type { LoginOf } from "../drivers/builders/docker/job.ts";
import { caddyEdge, remoteCaddyEdge } from "../drivers/edges/caddy/index.ts";
import { embeddedEdge } from "../drivers/edges/embedded/index.ts";
import { dockerExecutor } from "../drivers/executors/docker/index.ts";
import { hostExecutor } from "../drivers/executors/host/index.ts";
import { restForges } from "../drivers/forges/rest/index.ts";
import { cloudWatchMetric } from "../drivers/metrics/cloudwatch/index.ts";
import { jsonMetric } from "../drivers/metrics/json/index.ts";
import { prometheusMetric } from "../drivers/metrics/prometheus/index.ts";
import { webhookNotifier } from "../drivers/notifiers/webhook/index.ts";
import { commandProbe } from "../drivers/probes/command/index.ts";
import { dnsProbe } from "../drivers/probes/dns/index.ts";
import { endpointProbe } from "../drivers/probes/endpoint/index.ts";
import { httpProber } from "../drivers/probes/http/index.ts";
import { mongoOptions, mongoProbe } from "../drivers/probes/mongodb/index.ts";
import { mysqlProbe } from "../drivers/probes/mysql/index.ts";
import { postgresProbe } from "../drivers/probes/postgres/index.ts";
import { queueProbe } from "../drivers/probes/queue/index.ts";
import { redisProbe } from "../drivers/probes/redis/index.ts";
import { tcpProbe } from "../drivers/probes/tcp/index.ts";
import { tlsProbe } from "../drivers/probes/tls/index.ts";
import { makeOciRegistry } from "../drivers/registries/oci/index.ts";
import { makeShipper } from "../drivers/registries/oci/shipper.ts";
import { gitSource } from "../drivers/sources/git/index.ts";
import { openSqliteStore } from "../drivers/stores/sqlite/index.ts";
import { dockerTarget } from "../drivers/targets/docker/index.ts";
import { processTarget } from "../drivers/targets/process/index.ts";
import { staticServerCommand } from "../drivers/targets/process/static-command.ts";
import { fileVault, vaultKey } from "../drivers/vaults/file/index.ts";
import { AgentDesk } from "../engine/agents/desk.ts";
import { AlertDesk } from "../engine/alerts/desk.ts";
import { ApprovalTeller } from "../engine/approvals/teller.ts";
import { CertificateReadings } from "../engine/certificates/readings.ts";
import { CertificateWatch } from "../engine/certificates/watch.ts";
import { sweepFresh } from "../engine/commands/command.ts";
import { sweepPlans } from "../engine/commands/plan.ts";
import { type Left, stopContainers } from "../engine/deploy/stop-all.ts";
import { tellForges } from "../engine/forge/parts.ts";
import { SeenChecks } from "../engine/forge/seen-checks.ts";
import { SeenLooks } from "../engine/gates/seen-looks.ts";
import { StepConditions } from "../engine/gates/step-conditions.ts";
import { Changes } from "../engine/history.ts";
import { Judges } from "../engine/judge/judges.ts";
import { RuleRunner } from "../engine/judge/rule-runner.ts";
import { Keeper } from "../engine/keeper.ts";
import { DeclaredSource } from "../engine/metrics/declared-source.ts";
import { EdgeSource } from "../engine/metrics/edge-source.ts";
import { Metrics } from "../engine/metrics/metrics.ts";
import { Past } from "../engine/metrics/past.ts";
import { Revisions } from "../engine/metrics/revisions.ts";
import { MetricSources } from "../engine/metrics/sources.ts";
import { SharedSteps } from "../engine/pipeline/cache/shared.ts";
import { StepCache } from "../engine/pipeline/cache/store.ts";
import { executorOf, onThisMachine } from "../engine/pipeline/executors.ts";
import { LiveSteps } from "../engine/pipeline/live.ts";
import { sweepSteps } from "../engine/pipeline/sweep.ts";
import { PreviewKeeper } from "../engine/previews/preview-keeper.ts";
import { Healer } from "../engine/recover/healer.ts";
import { LostHosts } from "../engine/recover/lost-hosts.ts";
import { Artifacts } from "../engine/release/artifacts.ts";
import type { ImageWorks } from "../engine/release/images.ts";
import { Transfers } from "../engine/release/transfers.ts";
import { Scaler } from "../engine/scale/scaler.ts";
import { sqliteEngine } from "../engine/sqlite/engine.ts";
import type { SqliteEngineOptions } from "../engine/sqlite/services.ts";
import { type Place, Targets } from "../engine/targets.ts";
import { renewAfterUpgrade } from "../engine/traffic/renew.ts";
import { type EdgePlace, EdgeSites } from "../engine/traffic/sites.ts";
import { Poller } from "../engine/triggers/poller.ts";
import { registerWorkflows } from "../engine/workflows.ts";
import type { World } from "../engine/world.ts";
import { Layout } from "../lib/oci/layout.ts";
import { Sealer } from "../lib/sealer.ts";
import { Haste } from "../lib/ssh/haste.ts";
import { openSsh } from "../lib/ssh/open-ssh.ts";
import type { SshOptions } from "../lib/ssh/options.ts";
import { openSupervisor, type Supervisor } from "../lib/supervisor/client.ts";
import { systemClock } from "../lib/system-clock.ts";
import type { Builder } from "../ports/builder.ts";
import type { Edge } from "../ports/edge.ts";
import type { Gauge } from "../ports/gauge.ts";
import type { Log } from "../ports/log.ts";
import { readStack } from "./config/compose/for-step.ts";
import type { ComposeSource } from "./config/compose/for-target.ts";
import { edgeBase, edgeRoom } from "./edge-base.ts";
import { edgesInPlace } from "./edges-in-place.ts";
import { at, never, withVariables } from "./gauge-variables.ts";
import { edgeGraceMs, keepRunning } from "./keep-running.ts";
import { RegistryLogins } from "./registry-logins.ts";
import { sealedBy } from "./sealed.ts";

export { buildForStep } from "../drivers/builders/docker/for-step.ts";
export { dockerExecutor } from "../drivers/executors/docker/index.ts";
export { hostExecutor } from "../drivers/executors/host/index.ts";
export { inspectSqliteStore as inspectStore } from "../drivers/stores/sqlite/inspect.ts";
export { restoreSqliteStore as restoreStore } from "../drivers/stores/sqlite/restore.ts";

export type WireOptions = {
  readonly directory: string;
  readonly product: string;
  readonly version: string;
  readonly log: Log;
  readonly readConfig: (source: ComposeSource) => Promise<ProductConfig>;
  /** For crash tests: called at every boundary between record and perform. */
  readonly onBoundary?: SqliteEngineOptions["onBoundary"];
};

export type Wired = {
  readonly world: World;
  /** Somebody asks for something to be done: who pauses between two tries at a server that is away tries at once. */
  hurry(): void;
  /** Hands steps out to agents on other machines. */
  readonly agents: AgentDesk;
  /** Stops the edge and every instance, and answers with what still runs. Only `close` may follow. */
  stopEverything(): Promise<readonly Left[]>;
  /** Lets go of everything. What has not been stopped goes on. */
  close(): Promise<void>;
};

/** For results of steps that are on their way to a shared store. */
const sharedEndMs = 5_000;
/** Blobs of a build under way are in no release yet. */
const underWayMs = 60 * 60_000;

/** The one place where drivers are named and put together. Opens the store first: its lock says that this is the only one. */
export async function wire(options: WireOptions): Promise<Wired> {
  const { directory, log } = options;
  const clock = systemClock;
  const store = await openSqliteStore({ directory, clock });
  const closers: (() => Promise<void>)[] = [() => store.close()];
  const close = async (): Promise<void> => {
    for (const each of closers.splice(0).reverse()) await each();
  };
  try {
    const keyFile = join(directory, "secrets.key");
    const sealer = new Sealer(() => vaultKey(keyFile));
    const supervisor = await openSupervisor({ directory: join(directory, "supervisor") });
    closers.push(() => supervisor.close());
    const changes = new Changes();
    const transfers = new Transfers(() => changes.announce());
    const logins = new RegistryLogins({ env: process.env, monotonicMs: () => clock.monotonicMs() });
    closers.push(async () => logins.close());
    const places: Places = {
      directory,
      transfers,
      product: options.product,
      supervisor,
      haste: new Haste(),
      logins,
      log,
      onClose: (last) => closers.push(last),
    };
    const targets = new Targets({ store, clock, log, make: (spec) => makeTarget(places, spec) });
    closers.push(() => targets.close());
    const metrics = new Metrics({ clock });
    const counted = new EdgeSource({ metrics, revisions: new Revisions(store) });
    const edges = new EdgeSites({
      store,
      targets,
      clock,
      log,
      base: (place) => edgeBase(directory, place),
      make: (place) => makeEdge(places, place),
      onSample: (edge, sample) => counted.take(edge, sample),
    });
    const engine = sqliteEngine({
      store,
      clock,
      ...(options.onBoundary === undefined ? {} : { onBoundary: options.onBoundary }),
    });
    const containers = dockerExecutor({
      owner: directory,
      file: join(directory, "step-engines.json"),
      makeImage: buildForStep,
    });
    closers.push(() => containers.close());
    const sharedSteps = new SharedSteps(join(directory, "step-cache"), { clock, log });
    closers.push(() => sharedSteps.close(sharedEndMs));
    const newId = (): string => randomBytes(6).toString("hex");
    const agents = new AgentDesk({ clock, log, newId });
    const world: World = {
      store,
      engine,
      targets,
      edges,
      clock,
      log,
      newId,
      prober: httpProber(clock),
      source: gitSource(),
      openForge: restForges(clock),
      seenChecks: new SeenChecks(),
      seenBudgets: new SeenLooks(),
      seenConditions: new SeenLooks(),
      artifacts: new Artifacts(directory),
      images: imageWorks(places, options.version),
      transfers,
      vault: fileVault(keyFile),
      changes,
      executor: executorOf({
        here: onThisMachine({
          host: hostExecutor({ supervisor, hidden: { directory, files: [] } }),
          container: containers,
        }),
        agents,
      }),
      stepCache: new StepCache(join(directory, "step-cache")),
      sharedSteps,
      live: new LiveSteps(() => changes.announce()),
      metrics,
      alerts: new AlertDesk({ store, clock, changes, product: options.product }),
      standings: new Map(),
      stepConditions: new StepConditions(),
      scalings: new Map(),
      certificates: new CertificateReadings(),
      judges: new Judges(),
      notifier: webhookNotifier(secretOf),
      staticCommand: staticServerCommand,
      readStack,
      readConfig: (at, workingTree) =>
        options.readConfig({ directory: at, beside: workingTree, sealer, variables: process.env }),
      sealed: sealedBy(sealer),
      runsDirectory: join(directory, "runs"),
      previewsDirectory: join(directory, "previews"),
    };
    await world.alerts.open();
    await sweepPlans(world);
    await sweepSteps(world);
    await edgesInPlace(world);
    void renewAfterUpgrade(edges, join(directory, "edge", "code-version"), options.version, log);
    registerWorkflows(world);
    const keeper = new Keeper(world);
    keeper.open();
    closers.push(() => keeper.close());
    const past = new Past({ store, metrics, log });
    const declared = new DeclaredSource({ db: store.db, clock, log, metrics, random: Math.random, makeGauge });
    metrics.past = past;
    metrics.declared = declared;
    const sources = new MetricSources(world, metrics, { declared, past });
    sources.open();
    closers.push(() => sources.close());
    const watchers = [
      new Healer(world, sources.health),
      new LostHosts(world),
      new RuleRunner(world),
      new Scaler(world),
    ];
    for (const each of watchers) {
      each.open();
      closers.push(() => each.close());
    }
    await engine.open();
    const watching = [
      new Poller(world),
      new PreviewKeeper(world),
      new ApprovalTeller(world),
      new CertificateWatch(world),
    ];
    for (const each of watching) each.open();
    const telling = tellForges(world);
    const sweeping = new AbortController();
    void sweepFresh(world, sweeping.signal);
    closers.push(async () => sweeping.abort());
    closers.push(() => engine.close());
    closers.push(...watching.map((each) => () => each.close()));
    closers.push(() => telling.close());
    // First nobody decides any more, then what was decided is taken down.
    const quiet = async (): Promise<void> => {
      for (const each of watching) await each.close();
      await telling.close();
      await engine.close();
      await keeper.close();
      for (const each of watchers) await each.close();
      await sources.close();
    };
    return {
      world,
      hurry: () => places.haste.make(),
      agents,
      stopEverything: async () => {
        // What cannot be stopped keeps nothing else running.
        const [atRest] = await Promise.allSettled([quiet()]);
        const [edgesGone] = await Promise.allSettled([edges.close({ stopGraceMs: edgeGraceMs })]);
        const [left] = await Promise.allSettled([stopContainers(world)]);
        await supervisor.shutdown();
        if (edgesGone.status === "rejected") log.warn("edge.not-stopped", { reason: reasonOf(edgesGone.reason) });
        // An edge of this machine has ended with the supervisor, however it was.
        const isElsewhere = edges.all().some(({ place }) => place.server !== null);
        for (const each of isElsewhere ? [atRest, left, edgesGone] : [atRest, left])
          if (each.status === "rejected") throw each.reason;
        return left.status === "fulfilled" ? left.value : [];
      },
      close: async () => {
        await quiet();
        await edges.close({ stopGraceMs: null });
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

type Places = {
  readonly transfers: Transfers;
  readonly directory: string;
  readonly product: string;
  readonly supervisor: Supervisor;
  readonly haste: Haste;
  readonly logins: RegistryLogins;
  readonly log: Log;
  /** What is let go of at the end. */
  readonly onClose: (close: () => Promise<void>) => void;
};

function makeTarget(places: Places, spec: TargetSpec): Place {
  const { directory, product, supervisor, log, logins, transfers } = places;
  switch (spec.driver) {
    case "process":
      return processTarget({ directory, product, supervisor });
    case "docker": {
      const hosts = spec.hosts.map(({ name, url, address, tls }) => ({
        name,
        url,
        address,
        ...waysTo(places, { url, tls }),
      }));
      return dockerTarget({
        product,
        hosts,
        directory: join(directory, "docker"),
        whenAway: spec.whenAway,
        ...(spec.waitAtMostMs === undefined ? {} : { waitAtMostMs: spec.waitAtMostMs }),
        shipper: makeShipper(transfers.toHosts(hosts)),
        registryLogin: (repository, refused) => logins.at(spec.registry, repository.split("/")[0] ?? "", refused),
        log,
      });
    }
  }
}

function makeEdge(places: Places, { driver, server }: EdgePlace): Edge {
  const { directory } = places;
  switch (driver) {
    case "embedded":
      return embeddedEdge({
        directory: join(directory, "edge"),
        launch: (command) => keepRunning(places, "edge", command),
      });
    case "caddy":
      if (server !== null) return edgeOnServer(places, server);
      return caddyEdge({
        directory: join(directory, "caddy"),
        program: process.env.SLIPWAY_CADDY ?? "caddy",
        launch: (role, command) => keepRunning(places, role === "caddy" ? "caddy" : "caddy-companion", command),
      });
  }
}

function edgeOnServer(places: Places, server: string): Edge {
  const { username, hostname, port } = new URL(server);
  const ssh = openSsh({
    destination: username === "" ? hostname : `${username}@${hostname}`,
    port: port === "" ? null : Number(port),
    ...sshOf(places),
  });
  places.onClose(() => ssh.close());
  return remoteCaddyEdge(ssh, {
    directory: edgeRoom,
    program: "caddy",
    launch: ["sh", "-c", launchScript, "sh", edgeRoom],
  });
}

/**
 * A server that was made ready starts Caddy by itself as soon as its config is there. Elsewhere it is started here, and kept up by
 * nobody but the control plane; the lock says that it runs already, and goes with it.
 */
const launchScript = `if [ -d /run/systemd/system ] && systemctl --quiet is-enabled slipway-edge.path 2>/dev/null; then exit 0; fi
setsid flock --nonblock --no-fork "$1/caddy.lock" caddy run --config "$1/caddy.json" </dev/null >>"$1/caddy.log" 2>&1 &`;

/** One layout for all images; an engine's builder is made when the first image is built there. */
function imageWorks(places: Places, version: string): ImageWorks {
  const { directory, logins } = places;
  const layout = join(directory, "images");
  const builders = new Map<string, Builder>();
  const builder = ({ builder: url, hosts, registry }: DockerTargetSpec): Builder => {
    const tls = hosts.find((host) => host.url === url)?.tls ?? null;
    const key = JSON.stringify([url, tls, registry?.repository]);
    const known = builders.get(key);
    if (known !== undefined) return known;
    const engine = { url, ...waysTo(places, { url, tls }) };
    const login: LoginOf = async (host) => {
      const found = await logins.at(registry, host);
      return found === null ? null : { user: found.username, password: found.password };
    };
    const made = dockerBuilder({ host: url, engine, how: "auto", layout, login, version, now: () => Date.now() });
    builders.set(key, made);
    return made;
  };
  return {
    builder,
    layout,
    registry: (spec) => makeOciRegistry({ login: (host, refused) => logins.at(spec, host, refused) }),
    collect: async (needed) => {
      if (existsSync(layout)) await (await Layout.open(layout)).collect(new Set(needed), Date.now() - underWayMs);
    },
    secret: secretOf,
  };
}

function secretOf(name: string): Secret | null {
  const value = process.env[name];
  return value === undefined || value === "" ? null : new Secret(value);
}

/** What an engine's address needs besides: the system's ssh, or the files of TLS. */
function waysTo(places: Places, { url, tls }: Pick<HostSpec, "url" | "tls">) {
  if (url.startsWith("ssh:")) return { ssh: sshOf(places) };
  return tls === null ? {} : { tls };
}

/** ~/.ssh/config holds, unless another file is named. */
function sshOf({ directory, haste }: Places): Pick<SshOptions, "controlDirectory" | "configFile" | "haste"> {
  return { controlDirectory: join(directory, "ssh"), configFile: process.env.SLIPWAY_SSH_CONFIG ?? null, haste };
}

/** Looks as the config says. What it needs of this process's environment is read once: a variable does not change. */
function makeGauge({ check, timeoutMs }: MeasuredSpec, kind: "probe" | "metric"): Gauge {
  switch (check.kind) {
    case "http":
      return withVariables(check.headersFrom, (secret) =>
        endpointProbe({ ...check, url: new URL(check.url), headers: { ...check.headers, ...secret } }),
      );
    case "tcp":
      return tcpProbe(check.address);
    case "dns":
      return dnsProbe(check);
    case "tls":
      return tlsProbe({ ...check.address, servername: check.servername, days: check.days });
    case "postgres":
      return at(check.place, (url) => postgresProbe({ url: new URL(url) }));
    case "mysql":
      return at(check.place, (url) => mysqlProbe({ url: new URL(url) }));
    case "redis":
      return at(check.place, (url) => redisProbe({ url: new URL(url) }));
    case "queue":
      return at(check.place, (url) => queueProbe({ url: new URL(url), queue: check.queue }));
    case "mongodb":
      return at(check.place, (url) => {
        const options = mongoOptions(url);
        if (options === null) throw new Error("it is no URL of a MongoDB");
        return mongoProbe(options);
      });
    case "command":
      return withVariables(Object.fromEntries(check.variables.map((name) => [name, name])), (variables) =>
        commandProbe({
          command: check.command,
          directory: "/",
          env: { PATH: process.env.PATH ?? "", LANG: "C.UTF-8", ...variables },
          timeoutMs,
          number: kind === "metric",
        }),
      );
    case "prometheus":
      return withVariables(check.headersFrom, (headers) =>
        prometheusMetric({ url: new URL(check.url), query: check.query, headers }),
      );
    case "json":
      return withVariables(check.headersFrom, (secret) =>
        jsonMetric({ url: new URL(check.url), path: check.path, headers: { ...check.headers, ...secret } }),
      );
    case "cloudwatch": {
      const [accessKeyId, secretAccessKey] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(
        (name) => process.env[name],
      );
      if (!accessKeyId || !secretAccessKey)
        return never("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set here");
      const sessionToken = process.env.AWS_SESSION_TOKEN || null;
      return cloudWatchMetric({ ...check, credentials: { accessKeyId, secretAccessKey, sessionToken } });
    }
  }
}
