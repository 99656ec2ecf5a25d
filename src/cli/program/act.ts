import { type Command, InvalidArgumentError } from "commander";

/** What a command does, given its arguments and all options, those of the program included. */
type Action = (args: readonly string[], options: never) => Promise<number>;

/** What is done when it is typed; its number is our exit code. */
export function act(command: Command, action: Action): Command {
  return command.action(async () => {
    process.exitCode = await action(command.args, command.optsWithGlobals() as never);
  });
}

/** A whole number, still as text. */
export function count(text: string): string {
  if (/^\d{1,6}$/.test(text)) return text;
  throw new InvalidArgumentError("it must be a whole number.");
}

/** Of an option that may be repeated: all that were said. */
export function several(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}
