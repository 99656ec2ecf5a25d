import { CommanderError } from "commander";
import { SlipwayError } from "../core/errors/error.ts";
import { fail } from "./output.ts";
import { program } from "./program/slipway.ts";

// `slipway history | head`: a reader that has seen enough is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

try {
  await program().parseAsync();
} catch (error) {
  // Commander has printed help and version by itself: asked for, they are no failure; in the place of a command that is missing they are.
  const json = process.argv.includes("--json");
  if (!(error instanceof CommanderError)) process.exitCode = fail(error, json);
  else if (error.exitCode !== 0) {
    process.exitCode = 2;
    if (json) fail(new SlipwayError("USAGE", { message: "a command is missing" }), json);
  }
}
