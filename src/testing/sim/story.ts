import { isSlipwayError } from "../../core/errors/error.ts";
import { type DeploymentId, deploymentId, type ReleaseId, type RevisionId } from "../../core/ids.ts";
import { type Ask, ask } from "../../engine/commands/ask.ts";
import { rollback } from "../../engine/commands/rollback.ts";
import { startDeployment } from "../../engine/commands/start-deployment.ts";
import type { World } from "../../engine/world.ts";
import type { RouteTable } from "../../ports/edge.ts";
import type { RevisionSpec } from "../../ports/target.ts";
import { Capacity } from "./capacity.ts";
import { Crowd } from "./crowd.ts";
import { drawFaults, type Fault, happen, heal } from "./faults.ts";
import { drawKind, type Kind } from "./kind.ts";
import { Losing } from "./losing.ts";
import type { Instance } from "./machine.ts";
import { Operator } from "./operator.ts";
import {
  api,
  canary,
  digestsOf,
  environment,
  idOf,
  product,
  releaseRow,
  runRow,
  runWorkflowRow,
  type Shape,
  specOf,
} from "./product.ts";
import { type Broken, type Course, Promises } from "./promises.ts";
import { Random } from "./random.ts";
import { Ruling } from "./ruling.ts";
import { requestCpuMs } from "./scaling.ts";
import { isBad, type Program } from "./service.ts";
import type { Noted, SimDatabase } from "./store.ts";
import { Trace } from "./trace.ts";
import { Users } from "./users.ts";
import { ailmentsIn, drawPrograms, drawShape } from "./versions.ts";
import { SimWorld, type WorldOptions } from "./world.ts";

/** How often something came about. */
export type Tally = Record<string, number>;

export type Told = {
  readonly seed: number;
  readonly deployments: number;
  readonly broken: readonly Broken[];
  readonly tally: Tally;
  readonly trace: readonly string[];
};

/** How many releases come in one world, after the first. */
const releasesInAWorld = 8;
/** A deployment that has not ended so long after everything is well again never will: longest hold and deadline, several times. */
const patienceMs = 15 * 60_000;
/** After the last trouble the keeper has looked several times by then. */
const restMs = 60_000;
/** Between two looks whether all is at rest. */
const lookMs = 1_000;

/** Until a person comes back to what they could not have done. */
const againLaterMs = 60_000;

type Version = { readonly shape: Shape; readonly programs: Readonly<Record<string, Program>> };

/** One world with its releases, users, troubles and persons; all of it follows from the seed. */
export async function tell(seed: number, database: SimDatabase, options: { readonly trace: boolean }): Promise<Told> {
  return new Story(seed, options.trace).told(database);
}

class Story {
  readonly #seed: number;
  readonly #random: Random;
  readonly #trace: Trace;
  readonly #promises: Promises;
  readonly #versions = new Map<ReleaseId, Version>();
  readonly #tally: Tally = {};
  readonly #waiting = new Set<() => void>();
  readonly #kind: Kind;
  readonly #ruling: Ruling;
  readonly #crowd: Crowd;
  readonly #losing: Losing;
  readonly #capacity: Capacity;
  #world: SimWorld | null = null;
  #operator: Operator | null = null;
  readonly #users: Users;

  constructor(seed: number, isTraced: boolean) {
    this.#seed = seed;
    this.#random = new Random(seed, "story");
    this.#trace = new Trace(isTraced, () => this.#nowMs());
    this.#promises = new Promises(
      () => this.#at().database,
      () => this.#nowMs(),
    );
    this.#users = new Users({
      promises: this.#promises,
      trace: this.#trace,
      machine: () => this.#at().machine,
      nowMs: () => this.#nowMs(),
      shapeOf: (release) => this.#shapeOf(release),
      add: (what, count) => this.#add(what, count),
    });
    const matters = {
      promises: this.#promises,
      trace: this.#trace,
      world: () => this.#at(),
      shapeOf: (release: ReleaseId) => this.#shapeOf(release),
      kill: (how: Parameters<Operator["kill"]>[0]) => this.#by().kill(how),
      add: (what: string) => this.#add(what),
    };
    const programOf = (release: ReleaseId): Program | undefined => this.#versions.get(release)?.programs[api];
    this.#crowd = new Crowd({ ...matters, random: this.#random, programOf });
    this.#capacity = new Capacity(matters);
    this.#losing = new Losing({ ...matters, random: new Random(seed, "hosts") });
    this.#ruling = new Ruling({ ...matters, random: this.#random });
    this.#kind = drawKind(seed, this.#random);
  }

  async told(database: SimDatabase): Promise<Told> {
    const options: WorldOptions = {
      seed: this.#seed,
      hosts: this.#kind.hosts,
      tended: this.#kind.tended,
      losing: this.#kind.losing,
      requestCpuMs: this.#kind.scaled ? requestCpuMs(this.#kind.rate) : null,
      ruled: this.#kind.ruled !== null,
      rate: (atMs) => this.#kind.rate * this.#crowd.factor * (1 + 0.5 * Math.sin(atMs / 7_000)),
      programOf: (spec) => this.#programOf(spec),
      witness: {
        history: (row) => this.#onHistory(row),
        table: (table) => this.#onTable(table),
        lost: (loss) => this.#users.onLost(loss),
        cut: (instance, cause) => this.#users.onCut(instance, cause),
        instance: (event, instance) => this.#onInstance(event, instance),
        log: (level, event, fields) => this.#onLog(level, event, fields),
        artifactRemoved: (digest) => this.#trace.note("disk", () => `artifact ${digest.slice(7, 19)} removed`),
      },
    };
    const world = new SimWorld(options, database);
    this.#world = world;
    const add = (what: string): void => this.#add(what);
    this.#operator = new Operator({ world, promises: this.#promises, trace: this.#trace, add });
    let over = false;
    if (this.#kind.ruled !== null) this.#ruling.watch();
    const script = this.#play().finally(() => {
      over = true;
      this.#ruling.close();
    });
    // What fails in the story itself is a bug of the simulator, and is told as such by whoever waits for it.
    script.catch(() => {});
    const limitMs = (releasesInAWorld + 2) * (patienceMs + restMs) * 2;
    if (!(await world.timeline.run(() => over, limitMs))) this.#promises.break("resumes", this.#stuck());
    else await script;
    this.#promises.atEnd();
    const deployments = this.#promises.courses.size;
    world.close();
    const { broken } = this.#promises;
    return { seed: this.#seed, deployments, broken, tally: this.#tally, trace: this.#trace.lines };
  }

  async #play(): Promise<void> {
    await this.#by().boot();
    const shape = drawShape(this.#random, this.#kind);
    await this.#deploy(await this.#release(1, shape, { ailing: false }));
    await this.#allEnded();
    for (let number = 2; number <= releasesInAWorld + 1 && this.#promises.broken.length === 0; number += 1) {
      const next = this.#random.chance(0.2) ? drawShape(this.#random, this.#kind) : shape;
      await this.#chapter(number, next);
    }
  }

  /** One release: it comes, troubles come, persons come; in the end all is well and must be at rest. */
  async #chapter(number: number, shape: Shape): Promise<void> {
    const { timeline } = this.#at();
    const release = await this.#release(number, shape, { ailing: true });
    const faults = drawFaults(this.#random);
    for (const { afterMs, fault } of faults) timeline.after(afterMs, () => this.#befall(fault));
    this.#person(number);
    if (this.#kind.scaled) this.#crowd.mayTurn();
    if (this.#kind.losing) this.#losing.mayLose();
    const id = await this.#deploy(release);
    await this.#allEnded();
    if (this.#promises.broken.length > 0) return;
    this.#count(id, release, faults.length === 0);
    await this.#mustRest();
    if (this.#kind.tended && this.#promises.broken.length === 0) await this.#mustHeal();
    if (this.#kind.scaled && this.#promises.broken.length === 0) await this.#crowd.mustBeFollowed();
    if (this.#kind.losing && this.#promises.broken.length === 0) {
      await this.#losing.mustBeReplaced();
      await this.#allEnded();
      if (this.#promises.broken.length === 0) await this.#mustRest();
    }
    if (this.#kind.ruled !== null && this.#promises.broken.length === 0) {
      await this.#ruling.mustTakeBack(this.#kind.ruled);
      await this.#allEnded();
    }
  }

  /** One instance of what is live falls sick; somebody has it restarted, also when the control plane dies over it. */
  async #mustHeal(): Promise<void> {
    const { machine, timeline } = this.#at();
    const live = this.#promises.live();
    const well = [...machine.revisions.values()]
      .filter(({ spec }) => spec.release === live && spec.listens)
      .flatMap(({ instances }) => [...instances.values()])
      // About a life that was given up nothing more is decided.
      .filter((each) => !this.#promises.tending.givenUp.includes(each.id))
      .filter((each) => machine.isListening(each) && machine.conditionOf(each).healthy);
    const struck = well[this.#random.below(Math.max(1, well.length))];
    if (struck === undefined) return;
    const { tending } = this.#promises;
    const givenUp = tending.givenUp.length;
    machine.sicken(struck, true);
    this.#add("instances fallen sick");
    if (this.#random.chance(0.4))
      timeline.after(this.#random.exponential(6_000), () =>
        this.#by().kill({ afterTouches: 1 + this.#random.below(60), downMs: this.#random.between(20, 500) }),
      );
    const untilMs = timeline.nowMs + restMs;
    // A person may bring something else meanwhile, and then it is no matter of healing any more.
    const isMatter = (): boolean =>
      machine.at(struck.address) === struck && this.#promises.live() === live && this.#promises.open().length === 0;
    const isGivenUp = (): boolean => tending.givenUp.length > givenUp;
    while (struck.sick && isMatter() && !isGivenUp() && timeline.nowMs < untilMs) await timeline.wait(lookMs);
    if (!struck.sick) this.#add("instances restarted");
    else if (isGivenUp()) this.#add("instances given up");
    else if (isMatter()) this.#promises.break("tended", `${struck.id} is sick for a minute`);
    machine.sicken(struck, false);
  }

  #count(id: DeploymentId | null, release: ReleaseId, untroubled: boolean): void {
    const phases = id === null ? undefined : this.#promises.courses.get(id)?.phases;
    const end = phases?.at(-1)?.is ?? "refused";
    const version = this.#versions.get(release);
    const isGood = version !== undefined && !Object.values(version.programs).some(isBad);
    this.#add(`${isGood ? "good" : "bad"} ${untroubled ? "untroubled" : "troubled"} ${end}`);
  }

  /** Sometimes somebody asks something in between. */
  #person(number: number): void {
    const { timeline } = this.#at();
    const afterMs = this.#random.exponential(1_500);
    const what = this.#random.weighted([
      ["nothing", 12],
      ["cancel", 2],
      ["pause", 2],
      ["rollback", 2],
      ["another", 2],
    ]);
    if (what === "nothing") return;
    timeline.after(afterMs, () => {
      switch (what) {
        case "cancel":
          return void this.#askNewest("cancel");
        case "pause":
          return void this.#askNewest("pause");
        case "rollback":
          return void this.#by().command("rollback", (world) => this.#goBack(world));
        case "another":
          return void this.#release(100 + number, drawShape(this.#random, this.#kind), { ailing: true }).then((id) =>
            this.#deploy(id),
          );
      }
    });
  }

  /** Who goes back is not told that there is nowhere to go while there is. */
  async #goBack(world: World): Promise<unknown> {
    const way = this.#promises.wayBack();
    try {
      const asked = { product, environment, to: null, force: false, actor: "bob", reason: "users complain" };
      return await rollback(world, asked);
    } catch (error) {
      const isNowhere = isSlipwayError(error) && ["NOTHING_TO_ROLL_BACK", "ARTIFACT_MISSING"].includes(error.code);
      if (isNowhere && way !== null && this.#promises.wayBack() === way)
        this.#promises.break("can go back", `to ${way} was refused: ${error.message}`);
      throw error;
    }
  }

  #askNewest(kind: Ask["kind"]): Promise<unknown> {
    const open = this.#promises.open().at(-1);
    if (open === undefined) return Promise.resolve();
    return this.#by().command(kind, (world) =>
      ask(world, { deployment: open.id, kind, actor: "bob", reason: "a good reason" }),
    );
  }

  /** Whoever has paused it comes back to it; who is asked by a canary has an answer. */
  #goOnLater({ id, phases }: Course): void {
    const [was, step] = [phases.at(-1)?.is, phases.length];
    const kind =
      was !== "waiting" ? "resume" : this.#random.pick<Ask["kind"]>(["promote", "promote", "resume", "cancel"]);
    const input = { deployment: id, kind, actor: "bob", reason: "go on" };
    // Where nobody listens for a quarter of a minute, they come back.
    const goOn = async (): Promise<void> => {
      if (phases.length !== step) return;
      const heard = await this.#by().command(kind, (world) => ask(world, input).then(() => true));
      if (heard === null && phases.length === step) this.#at().timeline.after(againLaterMs, () => void goOn());
    };
    this.#at().timeline.after(this.#random.between(100, 4_000), () => void goOn());
  }

  /** A release is made, as by a run: it begins, packs, and records what it has made. */
  async #release(number: number, shape: Shape, { ailing }: { readonly ailing: boolean }): Promise<ReleaseId> {
    const { database, timeline, artifacts, images } = this.#at();
    const spec = specOf(shape);
    const id = idOf(this.#seed, number);
    const digests = digestsOf(id, spec);
    const run = `run_${id}`;
    const made = {
      programs: drawPrograms(this.#random, spec, { ailing, hosts: this.#kind.hosts }),
      packMs: this.#random.between(1, 40),
    };
    await database.settled();
    database.insert("run", runRow(run, Math.round(timeline.wallMs)));
    database.insert("workflow", runWorkflowRow(run, Math.round(timeline.wallMs), database));
    await timeline.wait(made.packMs);
    for (const digest of digests) {
      if (shape.containers) images.set(digest, timeline.nowMs);
      else artifacts.add(digest);
    }
    await timeline.wait(2);
    await database.settled();
    const now = Math.round(timeline.wallMs);
    const row = releaseRow({ id, number, spec, now });
    database.insert("release", row);
    for (const digest of shape.containers ? [] : digests)
      database.insert("artifact", { digest, bytes: 1, created_at: now });
    database.rows(
      "update run set phase = 'succeeded', ended_at = ?, release_id = ? where id = ? returning id",
      now,
      id,
      run,
    );
    this.#versions.set(id, { shape, programs: made.programs });
    this.#trace.note("release", () => `r${number} ${id} ${JSON.stringify(shape)} ${ailmentsIn(made.programs)}`);
    return id;
  }

  #programOf(spec: RevisionSpec): Program {
    const program = this.#versions.get(spec.release)?.programs[spec.service];
    if (program === undefined) throw new Error(`there is no program of ${spec.id}`);
    return program;
  }

  #deploy(release: ReleaseId): Promise<DeploymentId | null> {
    const input = { environment, release, kind: "deploy" as const, actor: "ada", reason: "a simulated deployment" };
    const known = (): DeploymentId | null => {
      const [row] = this.#at().database.rows<{ id: string }>("select id from deployment where release_id = ?", release);
      return row === undefined ? null : deploymentId(row.id);
    };
    return this.#by().command("deploy", (world) => startDeployment(world, input), known);
  }

  #befall(fault: Fault): void {
    const world = this.#at();
    this.#trace.note("fault", () => JSON.stringify(fault));
    this.#add(`fault ${fault.is}`);
    if (fault.is === "kill") this.#by().kill(fault);
    else happen(world, fault, this.#random);
    if (fault.is === "hosts-lie") this.#users.onLie(this.#nowMs() + fault.lastsMs);
  }

  async #allEnded(): Promise<void> {
    const { timeline } = this.#at();
    const isOver = (): boolean => this.#promises.open().length === 0 || this.#promises.broken.length > 0;
    const limit = timeline.after(patienceMs, () => {
      for (const wake of [...this.#waiting]) wake();
      if (!isOver()) this.#promises.break("resumes", this.#stuck());
    });
    while (!isOver()) await new Promise<void>((resolve) => void this.#waiting.add(resolve));
    limit.off = true;
  }

  /** The world heals, and the control plane has time to see it. */
  async #mustRest(): Promise<void> {
    const world = this.#at();
    const { timeline } = world;
    heal(world);
    this.#losing.back();
    let untilMs = timeline.nowMs + restMs;
    for (;;) {
      await world.database.settled();
      // Somebody may deploy once more meanwhile. What a host has only said to have started is waited for to the end of its own deadline.
      if (this.#promises.open().length > 0) {
        await this.#allEnded();
        untilMs = timeline.nowMs + restMs;
      }
      const problem = world.plane === null ? "no control plane runs" : this.#restProblem();
      if (problem === null && this.#promises.open().length === 0)
        return this.#promises.canGoBack("rest", (release) => this.#shapeOf(release));
      if (this.#promises.broken.length > 0) return;
      if (timeline.nowMs > untilMs)
        return this.#promises.break("one release", `a minute after all was well: ${problem}`);
      await timeline.wait(lookMs);
    }
  }

  #restProblem(): string | null {
    const { machine, gateway } = this.#at();
    const wanted = new Map<RevisionId, number>();
    for (const [id, revision] of machine.revisions) {
      const count = machine.wantedOf(revision);
      // A job that has ended is wanted for as long as it is known.
      if (revision.spec.mode !== "job" && count !== null) wanted.set(id, count);
    }
    return this.#promises.atRest((release) => this.#shapeOf(release), gateway.table, wanted);
  }

  #onHistory(row: Noted): void {
    this.#trace.note(
      "history",
      () => `${row.event} ${row.release_id?.replace(/^.*x/, "r") ?? ""} by ${row.actor}: ${row.reason}`,
    );
    if (row.event.startsWith("service.")) this.#add(row.event);
    this.#promises.onHistory(row, canary, (release) => this.#shapeOf(release));
    const ruled = this.#ruling.onHistory(row, this.#kind.ruled);
    if (ruled !== null) this.#promises.break("ruled", ruled);
    const course = row.deployment_id === null ? undefined : this.#promises.courses.get(row.deployment_id);
    if (course === undefined) return;
    const { is } = course.phases.at(-1) ?? { is: "" };
    if (is === "paused" || is === "held" || is === "waiting") this.#goOnLater(course);
    // What a rule says of a release bears the number of the deployment that brought it, long after that has ended.
    const hasEnded = row.event.startsWith("deployment.") && !this.#promises.open().includes(course);
    // In the commit itself the store is looked at, so its new rows are there.
    if (hasEnded) this.#onEnd(course);
    for (const wake of [...this.#waiting]) wake();
    this.#waiting.clear();
  }

  #onEnd(course: Course): void {
    this.#add(`ended ${course.phases.at(-1)?.is}`);
    const { gate, gateway } = this.#at();
    const table = gate.trouble === "away" ? null : gateway.table;
    this.#promises.onEnd(course, (release) => this.#shapeOf(release), table);
  }

  #onInstance(event: string, instance: Instance): void {
    this.#trace.note("host", () => `${instance.id} ${event} (${instance.state})`);
    const tooFew = this.#capacity.onInstance(event, instance);
    if (tooFew !== null) this.#promises.break("enough", tooFew);
    if (event !== "started") return;
    const tooMany = this.#promises.scaling.onStarted(instance, this.#shapeOf(instance.revision.spec.release));
    if (tooMany !== null) this.#promises.break("scaled", tooMany);
  }

  #onTable(table: RouteTable): void {
    this.#users.onTable(table);
    this.#trace.note(
      "edge",
      () =>
        `table ${table.generation}: ${Object.entries(table.services)
          .map(
            ([name, { targets }]) =>
              `${name.replace(/^.*\//, "")} ${targets.map(({ revision, weight, fallback, instances }) => `${revision.replace(/^.*-/, "")}x${instances.length} ${weight / 100} %${fallback ? " fallback" : ""}`).join(", ")}`,
          )
          .join("; ")}`,
    );
  }

  #onLog(level: "info" | "warn" | "error", event: string, fields: object): void {
    const text = JSON.stringify(fields);
    this.#trace.note("log", () => `${level} ${event} ${text}`);
    if (text.includes(canary)) this.#promises.break("discreet", `the log tells it: ${event}`);
  }

  #shapeOf(release: ReleaseId): Shape {
    const version = this.#versions.get(release);
    if (version === undefined) throw new Error(`there is no version of ${release}`);
    return version.shape;
  }

  #stuck(): string {
    const open = this.#promises.open().map(({ id, phases }) => `${id} is ${phases.at(-1)?.is}`);
    return open.length === 0 ? "the story did not end" : `no end in sight: ${open.join(", ")}`;
  }

  #add(what: string, count = 1): void {
    this.#tally[what] = (this.#tally[what] ?? 0) + count;
  }

  #at(): SimWorld {
    if (this.#world === null) throw new Error("the world is not made yet");
    return this.#world;
  }

  #by(): Operator {
    if (this.#operator === null) throw new Error("nobody runs the world yet");
    return this.#operator;
  }

  #nowMs(): number {
    return this.#world?.timeline.nowMs ?? 0;
  }
}
