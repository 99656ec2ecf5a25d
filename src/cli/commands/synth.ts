import { join, relative } from "node:path";
import { SlipwayError } from "../../core/errors/error.ts";
import { nearest } from "../../core/product/guess.ts";
import type { ProductConfig } from "../../core/product/schema.ts";
import { type ArtifactName, artifactNames, withTheirNeeds } from "../../core/synth/artifact.ts";
import { diffLines } from "../../core/synth/diff.ts";
import { notMade } from "../../core/synth/docker.ts";
import { type Standing, type Standings, standingOf } from "../../core/synth/drift.ts";
import { synthFiles } from "../../core/synth/make.ts";
import { artifactOf, ownershipOf } from "../../core/synth/mark.ts";
import type { SynthProduct } from "../../core/synth/product.ts";
import { loadNearestConfig } from "../config/load.ts";
import { type Output, output } from "../output.ts";
import type { GlobalOptions } from "../session.ts";
import { sha256 } from "../synth/digest.ts";
import { removeInside, textAt, writeInside } from "../synth/disk.ts";
import { readWorkingTree, type WorkingTree } from "../synth/tree.ts";
import { confirm } from "../terminal/confirm.ts";
import { sign, style } from "../terminal/style.ts";

export type SynthOptions = GlobalOptions & {
  readonly check?: boolean;
  readonly force?: boolean;
  readonly yes?: boolean;
};

/** A file as it should be and as it is; one that is no longer made has no file. */
type Found = {
  /** Absolute. */
  readonly path: string;
  /** As people see it, from the top of the repository. */
  readonly shown: string;
  readonly artifact: ArtifactName;
  readonly standing: Standing | "left over";
  readonly wanted: string;
  readonly text: string | null;
  readonly executable: boolean;
};

/**
 * Writes the selected files, or with `--check` shows how they differ. A file that people have changed or written is left alone
 * without `--force`. Exit 0 when all is as it should be, 1 when something differs or was left alone.
 */
export function synth(artifacts: readonly string[], options: SynthOptions): Promise<number> {
  return synthAt(process.cwd(), artifacts, options, output(options));
}

export async function synthAt(
  directory: string,
  artifacts: readonly string[],
  options: SynthOptions,
  out: Output,
): Promise<number> {
  const { file, config } = await loadNearestConfig(directory);
  const tree = await readWorkingTree(file, config);
  const selected = selectedOf(artifacts, tree.product, config);
  mustBePossible(tree.product, selected);
  const found = standings(tree, selected);
  if (options.check === true) return check(found, out);
  return write(found, tree, options, out);
}

function selectedOf(
  asked: readonly string[],
  { settings, steps }: SynthProduct,
  { name }: ProductConfig,
): readonly ArtifactName[] {
  if (asked.includes("all")) return artifactNames;
  const names = asked.map((text) => {
    const known = artifactNames.find((each) => each === text);
    if (known !== undefined) return known;
    const near = nearest(text, artifactNames);
    throw new SlipwayError("USAGE", {
      message: `${JSON.stringify(text)} is nothing that synth writes`,
      evidence: [["artifacts", artifactNames.join(", ")]],
      hint: near === null ? "see: slipway synth --help" : `did you mean ${near}?`,
    });
  });
  const selected = names.length > 0 ? names : settings.selected;
  const isBeside = steps.some(({ step }) => (step.container?.beside.length ?? 0) > 0);
  const all = withTheirNeeds(selected);
  if (isBeside && all.includes("scripts")) return withTheirNeeds([...all, "integration"]);
  if (all.length > 0) return all;
  throw new SlipwayError("USAGE", {
    message: `nothing is selected: the config of ${name} has no synth`,
    hint: "name what you want, like: slipway synth github compose; or in the config: synth: { github: true }",
  });
}

function mustBePossible(product: SynthProduct, selected: readonly ArtifactName[]): void {
  const ofCompose = product.environment.compose !== undefined;
  const wrong = selected.find((name) => ["compose", "integration", "docker"].includes(name));
  if (ofCompose && wrong !== undefined)
    throw new SlipwayError("USAGE", {
      message: `${wrong} is not written: the services of ${product.environment.environment} come from a Compose file, which is yours`,
      hint: "leave compose, integration and docker out",
    });
  if (!selected.includes("docker") && !selected.includes("compose")) return;
  const [first, ...more] = notMade(product);
  if (first !== undefined && product.environment.registry === null)
    throw new SlipwayError("USAGE", {
      message: `no Dockerfile can be made for ${first.service}: ${first.why}`,
      evidence: more.map(({ service, why }) => [service, why] as const),
      hint: first.hint,
    });
}

function standings(
  { product, top, directory, written }: WorkingTree,
  selected: readonly ArtifactName[],
): readonly Found[] {
  const made = synthFiles(product, selected).map((file): Found => {
    const path = join(file.base === "repository" ? top : directory, file.path);
    const text = textAt(path);
    const { standing, wanted }: Standings = standingOf(file, text, sha256);
    return {
      path,
      shown: relative(top, path),
      artifact: file.artifact,
      standing,
      wanted,
      text,
      executable: file.executable,
    };
  });
  const paths = new Set(made.map(({ path }) => path));
  const over = written.flatMap((shown): readonly Found[] => {
    const path = join(top, shown);
    const text = textAt(path);
    const artifact = artifactOf(text ?? "");
    const isOfOurs = artifact !== null && selected.includes(artifact) && !paths.has(path);
    // Of another product in the same repository.
    if (!isOfOurs || text === null || !path.startsWith(join(directory, "/"))) return [];
    return [{ path, shown, artifact, standing: "left over", wanted: "", text, executable: false }];
  });
  return [...made, ...over];
}

const words: Readonly<Record<Found["standing"], string>> = {
  same: "is as it should be",
  absent: "is not there",
  outdated: "is not up to date",
  changed: "was changed by somebody since synth wrote it",
  foreign: "was not written by synth",
  "left over": "is no longer made",
};

function check(found: readonly Found[], out: Output): number {
  const drift = found.filter(({ standing }) => standing !== "same");
  out.json({ inStep: drift.length === 0, files: found.map(asJson) });
  for (const each of drift) {
    out.line(`${style.bad(sign.failed)} ${style.name(each.shown)} ${words[each.standing]}`);
    for (const line of diffLines(each.text ?? "", each.wanted).slice(0, maxDiffLines)) out.line(`  ${coloured(line)}`);
  }
  out.line(
    drift.length === 0
      ? `${style.good(sign.done)} ${found.length} ${found.length === 1 ? "file is" : "files are"} as the config has them`
      : `\n${drift.length} of ${found.length} files differ; to write them: slipway synth`,
  );
  return drift.length === 0 ? 0 : 1;
}

/** Of one file; who wants all of it writes it and asks git. */
const maxDiffLines = 200;

function coloured(line: string): string {
  if (line.startsWith("+")) return style.good(line);
  if (line.startsWith("-")) return style.bad(line);
  return line.startsWith("@@") ? style.quiet(line) : line;
}

async function write(
  found: readonly Found[],
  { top }: WorkingTree,
  options: SynthOptions,
  out: Output,
): Promise<number> {
  const isPeoples = ({ standing, text }: Found): boolean =>
    standing === "changed" ||
    standing === "foreign" ||
    (standing === "left over" && ownershipOf(text ?? "", sha256) !== "ours");
  const peoples = found.filter(isPeoples);
  const forced = options.force === true && peoples.length > 0 && (await mayReplace(peoples, options));
  const done = found.filter((each) => each.standing !== "same" && (forced || !isPeoples(each)));
  for (const { standing, path, wanted, executable } of done) {
    if (standing === "left over") removeInside(top, path);
    else writeInside(top, path, { text: wanted, executable });
  }
  const left = forced ? [] : peoples;
  out.json({
    files: found.map((each) => ({ ...asJson(each), written: done.includes(each) })),
    leftAlone: left.map(({ shown }) => shown),
  });
  for (const each of done) {
    const what = each.standing === "left over" ? "removed" : each.standing === "absent" ? "wrote" : "replaced";
    const why = isPeoples(each) ? style.quiet(`  it ${words[each.standing]}`) : "";
    out.line(`${style.good(sign.done)} ${what} ${style.name(each.shown)}${why}`);
  }
  for (const each of left)
    out.line(`${style.warn(sign.warn)} left ${style.name(each.shown)} alone: it ${words[each.standing]}`);
  if (left.length > 0) out.line("  see what would change: slipway synth --check; to have it so: slipway synth --force");
  else if (done.length === 0) out.line(`${style.good(sign.done)} all ${found.length} files are as the config has them`);
  return left.length === 0 ? 0 : 1;
}

async function mayReplace(peoples: readonly Found[], options: SynthOptions): Promise<boolean> {
  if (options.yes === true) return true;
  if (options.json === true || process.stdin.isTTY !== true)
    throw new SlipwayError("USAGE", {
      message: `--force would replace ${peoples.length === 1 ? "a file" : `${peoples.length} files`} of people, and nobody is there to be asked`,
      evidence: peoples.map(({ shown, standing }) => [shown, words[standing]] as const),
      hint: "pass --yes too; what git does not have is lost then",
    });
  return confirm(`Replace ${peoples.map(({ shown }) => shown).join(", ")}? What git does not have is lost.`);
}

function asJson({ shown, artifact, standing }: Found): { path: string; artifact: ArtifactName; standing: string } {
  return { path: shown, artifact, standing };
}
