import { Command, type ErrorOptions, type Option } from "commander";
import { type Evidence, SlipwayError } from "../../core/errors/error.ts";
import { nearest } from "../../core/product/guess.ts";

/** A command whose words about what was typed are ours: what, where, what is allowed, and what was most likely meant. */
export class SlipwayCommand extends Command {
  override createCommand(name?: string): Command {
    return new SlipwayCommand(name);
  }

  override error(message: string, { code = "" }: ErrorOptions = {}): never {
    throw usageError(this, code, message);
  }
}

const longListed = 40;

/** Commander's own sentences carry what is wrong in quotes, and nothing else does. */
function usageError(command: Command, code: string, said: string): SlipwayError {
  const path = pathOf(command);
  const [first = ""] = said.replace(/^error: /, "").split("\n");
  const [, seen = ""] = /'([^']*)'/.exec(first) ?? [];
  switch (code) {
    case "commander.unknownOption":
      return unknownOption(command, path, seen);
    case "commander.unknownCommand":
      return unknownCommand(command, path, seen);
    case "commander.missingMandatoryOptionValue": {
      // Most likely the very one that is missing, misspelt.
      const strange = strangeOption(command);
      if (strange !== null) return unknownOption(command, path, strange);
      const option = optionOf(command, seen);
      const [only, ...more] = command.args;
      const guess = only === undefined || more.length > 0 ? null : `${path} ${option?.long} ${only}`;
      return missing(command, path, { what: seen, meaning: option?.description ?? "", guess });
    }
    case "commander.missingArgument": {
      const meaning = command.registeredArguments.find((argument) => argument.name() === seen)?.description ?? "";
      return missing(command, path, { what: `<${seen}>`, meaning });
    }
    case "commander.optionMissingArgument":
      return missing(command, path, {
        what: `a value for ${seen}`,
        meaning: optionOf(command, seen)?.description ?? "",
      });
    case "commander.invalidArgument":
      return invalid(command, path, first);
    case "commander.excessArguments":
      return excess(command, path);
    default:
      return new SlipwayError("USAGE", { message: `${path}: ${first}`, hint: helpOf(path) });
  }
}

function unknownOption(command: Command, path: string, seen: string): SlipwayError {
  const options = optionsOf(command);
  const flags = options.flatMap(({ long, short }) => long ?? short ?? []);
  const [name = seen] = seen.split("=");
  const guess = name.startsWith("--") ? (nearest(name, flags) ?? shortOf(name, flags)) : null;
  return new SlipwayError("USAGE", {
    message: `${path} has no option ${name}`,
    evidence: listed(
      "allowed",
      options.map(({ flags: each }) => each),
    ),
    hint: `${guess === null ? "" : `did you mean ${guess}? `}${helpOf(path)}`,
  });
}

/** `--environment` is `--env`, written out. */
function shortOf(name: string, flags: readonly string[]): string | null {
  return flags.find((flag) => flag.length > 4 && name.startsWith(flag)) ?? null;
}

function unknownCommand(command: Command, path: string, seen: string): SlipwayError {
  const names = command.commands.flatMap((each) => [each.name(), ...each.aliases()]);
  const guess = nearest(seen, names);
  return new SlipwayError("USAGE", {
    message: `${path} has no command ${seen}`,
    evidence: listed("allowed", names),
    hint: `${guess === null ? "" : `did you mean: ${path} ${guess}? `}${helpOf(path)}`,
  });
}

function missing(
  command: Command,
  path: string,
  { what, meaning, guess = null }: { readonly what: string; readonly meaning: string; readonly guess?: string | null },
): SlipwayError {
  return new SlipwayError("USAGE", {
    message: `${path} needs ${what}${meaning === "" ? "" : `: ${meaning}`}`,
    evidence: [["usage", `${path} ${command.usage()}`]],
    hint: `${guess === null ? "" : `did you mean: ${guess}? `}${helpOf(path)}`,
  });
}

/** The first option that was typed and is none. */
function strangeOption(command: Command): string | null {
  const known = new Set(optionsOf(command).flatMap(({ long, short }) => [long, short]));
  const typed = rootOf(command).args;
  const end = typed.indexOf("--");
  const flags = typed.slice(0, end < 0 ? typed.length : end).filter((each) => /^--[a-z]/.test(each));
  return flags.find((each) => !known.has(each.split("=")[0])) ?? null;
}

function rootOf(command: Command): Command {
  return command.parent === null ? command : rootOf(command.parent);
}

/** `option '--busy <policy>' argument 'x' is invalid. Allowed choices are queue, refuse.` */
function invalid(command: Command, path: string, said: string): SlipwayError {
  const [, what = "", seen = "", why = ""] =
    /^(?:option|command-argument) ?(?:value )?'([^']*)' (?:argument|value)? ?'?([^']*)'? is invalid\. ?(.*)$/.exec(
      said,
    ) ?? [];
  const choices = (optionOf(command, what)?.argChoices ?? []) as readonly string[];
  const guess = nearest(seen, choices);
  if (what === "") return new SlipwayError("USAGE", { message: `${path}: ${said}`, hint: helpOf(path) });
  return new SlipwayError("USAGE", {
    message: `${path} ${what}: "${seen}" is not allowed${choices.length > 0 || why === "" ? "" : `; ${why.replace(/\.$/, "")}`}`,
    evidence: listed("allowed", choices),
    hint: `${guess === null ? "" : `did you mean "${guess}"? `}${helpOf(path)}`,
  });
}

function excess(command: Command, path: string): SlipwayError {
  const takes = command.registeredArguments.length;
  const seen = command.args.slice(takes).join(" ");
  return new SlipwayError("USAGE", {
    message: `${path} takes ${takes === 0 ? "no argument" : takes === 1 ? "one argument" : `${takes} arguments`}, and got "${seen}" besides`,
    evidence: [["usage", `${path} ${command.usage()}`]],
    hint: helpOf(path),
  });
}

const helpOf = (path: string): string => `see: ${path} --help`;

/** `slipway server check`. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** Its own first, then those of the commands it is in. */
function optionsOf(command: Command): readonly Option[] {
  const own = command.options.filter(({ hidden }) => !hidden);
  return command.parent === null ? own : [...own, ...optionsOf(command.parent)];
}

function optionOf(command: Command, flags: string): Option | undefined {
  return optionsOf(command).find((option) => option.flags === flags);
}

/** In lines that a terminal has room for. */
function listed(label: string, all: readonly string[]): Evidence[] {
  const lines: string[] = [];
  for (const each of all) {
    const last = lines.at(-1);
    if (last === undefined || last.length + each.length > longListed * 2) lines.push(each);
    else lines[lines.length - 1] = `${last}, ${each}`;
  }
  return lines.map((line) => [label, line]);
}
