import { textMatcher } from "../pipeline/glob.ts";
import { knownIssuers } from "../product/ci-access.ts";
import { environmentNames } from "../product/resolve.ts";
import type { ProductConfig } from "../product/schema.ts";
import { synthDefaults } from "../product/synth.ts";
import { type RefRule, type ScheduleRule, triggerSettings } from "../triggers/settings.ts";
import { type ArtifactName, artifactNames } from "./artifact.ts";

/** One environment that the forge's or Jenkins' pipeline brings a release to, in the order in which that is done. */
export type SynthDeploy = {
  readonly environment: string;
  /** Patterns of branches and of tags whose pushes do it. */
  readonly branches: readonly string[];
  readonly tags: readonly string[];
  /** The environment before, where its release is promoted; null: a release is made and deployed. */
  readonly from: string | null;
  /** Who may say yes, where the config names people; empty: anybody, or nobody has to. */
  readonly approvers: readonly string[];
  readonly approval: boolean;
  /**
   * The address of the control plane, where a job of GitHub proves there with its ID token who it is, and may do this; null: the job runs
   * on the control plane's machine.
   */
  readonly url: string | null;
  /** Those of `schedules` that deploy to it; none where it takes releases from another environment. */
  readonly schedules: readonly ScheduleRule[];
};

/** `synth` of the config, with its defaults. */
export type SynthSettings = {
  /** What the config selects. */
  readonly selected: readonly ArtifactName[];
  readonly environment: string;
  readonly branches: readonly string[];
  readonly tags: readonly string[];
  /** Of the default branch: the clocks of forges and of Jenkins know no other. */
  readonly schedules: readonly ScheduleRule[];
  /** Those of other branches, which only the control plane has. */
  readonly ownSchedules: readonly ScheduleRule[];
  readonly runner: string;
  readonly deployRunner: string;
  readonly deploys: readonly SynthDeploy[];
  readonly notices: {
    readonly slack: string | null;
    readonly monday: { readonly tokenFrom: string; readonly item: string } | null;
  };
};

/** All defaults applied. Takes what `validateProduct` has let through. */
export function synthSettings(config: ProductConfig): SynthSettings {
  const { synth = {} } = config;
  // A template of previews is no place: those that are made of it come and go by themselves.
  const names = environmentNames(config)
    .map(String)
    .filter((name) => config.environments?.[name]?.previews === undefined);
  const branch = synth.branch ?? synthDefaults.branch;
  const triggers = triggerSettings(config);
  const pushed = (triggers?.branches ?? []).map(({ pattern }) => pattern);
  return {
    selected: artifactNames.filter((name) => synth[name] === true),
    environment: synth.environment ?? (names.includes("production") ? "production" : (names.at(-1) ?? "production")),
    branches: pushed.length > 0 ? pushed : [branch],
    tags: (triggers?.tags ?? []).map(({ pattern }) => pattern),
    schedules: (triggers?.schedules ?? []).filter((schedule) => schedule.branch === branch),
    ownSchedules: (triggers?.schedules ?? []).filter((schedule) => schedule.branch !== branch),
    runner: synth.runner ?? synthDefaults.runner,
    deployRunner: synth.deployRunner ?? synthDefaults.deployRunner,
    deploys: deploysOf(config, names, branch),
    notices: {
      slack: synth.notices?.slack ?? null,
      monday: synth.notices?.monday ?? null,
    },
  };
}

/**
 * Where triggers say which push goes where, as they say; else the default branch goes to every environment that takes releases
 * from nowhere else. What is promoted follows the environment that it comes from.
 */
function deploysOf(config: ProductConfig, names: readonly string[], branch: string): readonly SynthDeploy[] {
  const triggers = triggerSettings(config);
  const rules = [...(triggers?.branches ?? []), ...(triggers?.tags ?? [])];
  const isToldByTriggers = rules.some(({ deploy }) => deploy !== null);
  const deploys = new Map<string, SynthDeploy>();
  const open = [...names];
  // Every round takes one of them, or none is left that can be reached.
  for (let taken = true; taken; ) {
    taken = false;
    for (const name of open) {
      if (deploys.has(name)) continue;
      const found = deployOf(name);
      if (found === null) continue;
      deploys.set(name, found);
      taken = true;
    }
  }
  return [...deploys.values()];

  function deployOf(name: string): SynthDeploy | null {
    const { promoteFrom: from = null } = config.environments?.[name] ?? {};
    const proves = (triggers?.ci ?? []).some(
      ({ issuer, audience, environments, verbs, claims }) =>
        issuer === knownIssuers.github &&
        audience === triggers?.url &&
        environments.includes(name) &&
        verbs.includes(from === null ? "deploy" : "promote") &&
        // What the token of the job will say is known of these: a rule that wants another workflow is for that one.
        fits(claims.workflow, config.name) &&
        fits(claims.environment, name),
    );
    const url = proves ? (triggers?.url ?? null) : null;
    const schedules = (triggers?.schedules ?? []).filter(
      (schedule) => from === null && schedule.branch === branch && schedule.deploy === name,
    );
    const own = { environment: name, url, schedules, ...approvalOf(config, name) };
    const patterns = (list: readonly RefRule[]): readonly string[] =>
      list.filter(({ deploy }) => deploy === name).map(({ pattern }) => pattern);
    const branches = patterns(triggers?.branches ?? []);
    const tags = patterns(triggers?.tags ?? []);
    if (from !== null) {
      const before = deploys.get(from);
      if (before === undefined) return null;
      const given = branches.length + tags.length > 0;
      // Told to deploy what has to have been elsewhere: it is the same release, so it is promoted.
      return { ...own, branches: given ? branches : before.branches, tags: given ? tags : before.tags, from };
    }
    if (isToldByTriggers) return branches.length + tags.length > 0 ? { ...own, branches, tags, from: null } : null;
    return { ...own, branches: [branch], tags: [], from: null };
  }
}

const fits = (patterns: readonly string[] | undefined, said: string): boolean =>
  patterns === undefined || textMatcher(patterns)(said);

function approvalOf(config: ProductConfig, name: string): Pick<SynthDeploy, "approvers" | "approval"> {
  const approval = config.environments?.[name]?.gates?.approval;
  if (approval === undefined) return { approvers: [], approval: false };
  const members = (approval.teams ?? []).flatMap((team) => config.teams?.[team] ?? []);
  return { approvers: [...new Set([...members, ...(approval.people ?? [])])], approval: true };
}
