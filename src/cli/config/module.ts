import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { SlipwayError } from "../../core/errors/error.ts";
import { compiledFile } from "../../lib/entry.ts";
import { unreadableAt } from "./data.ts";
import type { Evaluated, EvaluateTask, ThrownKind } from "./evaluate.ts";

export type ModuleOptions = {
  /** How long the config may run, promise included. Default 10 s. */
  readonly timeoutMs?: number;
};

const defaultTimeoutMs = 10_000;
/** A config that needs more is not a config. */
const maxHeapMb = 256;

/**
 * Runs a `.ts`, `.mts`, `.js` or `.mjs` config in a worker of its own and gives the data it exports; the worker is gone
 * afterwards. `import … from "slipway"` is answered by us, so it works where slipway is not installed. What the config
 * prints goes to stderr. Errors: CONFIG_UNREADABLE.
 */
export async function evaluateConfig(
  text: string,
  file: string,
  name: string,
  options: ModuleOptions = {},
): Promise<unknown> {
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
  const task: EvaluateTask = { file, text, entry: fileURLToPath(new URL(`../../index${ourEnding}`, import.meta.url)) };
  const worker = new Worker(compiledFile(import.meta.url, "./evaluate.ts"), {
    workerData: task,
    stdout: true,
    stderr: true,
    resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
  });
  worker.stdout.pipe(process.stderr, { end: false });
  worker.stderr.pipe(process.stderr, { end: false });
  try {
    const result = await resultOf(worker, name, timeoutMs);
    if (result.is === "value") return result.value;
    if (result.is === "unusable")
      throw new SlipwayError("CONFIG_UNREADABLE", { message: `${name}: ${result.why}`, hint: result.hint });
    throw thrown(result, text, file, name);
  } finally {
    await worker.terminate();
  }
}

/** We are `.ts` in the tests and `.js` in the product. */
const ourEnding = import.meta.url.endsWith(".ts") ? ".ts" : ".js";

type Thrown = Evaluated & { is: "threw" };

function resultOf(worker: Worker, name: string, timeoutMs: number): Promise<Evaluated> {
  return new Promise((resolve, reject) => {
    const refuse = (why: string, hint: string, cause?: unknown) =>
      reject(new SlipwayError("CONFIG_UNREADABLE", { message: `${name}: ${why}`, hint, cause }));
    const timer = setTimeout(
      () =>
        refuse(
          `it did not end within ${timeoutMs / 1000} s`,
          "a config must not wait for anything that may not come, nor run a server",
        ),
      timeoutMs,
    );
    const settle = (then: () => void) => () => {
      clearTimeout(timer);
      then();
    };
    worker.once("message", (result: Evaluated) => settle(() => resolve(result))());
    worker.once("error", (error: Error) =>
      settle(() => refuse(`it failed: ${error.message}`, "a config holds data and needs little to make it", error))(),
    );
    // After a message this comes too late to matter.
    worker.once(
      "exit",
      settle(() =>
        refuse(
          "it ended before it exported anything",
          "a config must not call process.exit, nor export a promise that never settles",
        ),
      ),
    );
  });
}

/**
 * What the config threw, with the place in it, or in a file of the product that it imports. Only a syntax error has a
 * column: code runs without its types, so lines are the same and columns are not.
 */
function thrown({ kind, message, stack }: Thrown, text: string, file: string, name: string): SlipwayError {
  const [first = "", ...rest] = message.split("\n").map((line) => line.trim());
  const reason = first.replace(/^ParseError: /, "");
  const missing = kind === "module" ? (/^Cannot find (?:module|package) '([^']+)'/.exec(reason)?.[1] ?? null) : null;
  const said = kind === "code" ? `its code failed: ${reason}` : reason;
  const hint = hintOf(kind, missing);
  const top = file.slice(0, -name.length);
  const placeIn = (lines: readonly string[]) =>
    lines
      .map((line) => /(\/[^\s():]+):(\d+):(\d+)/.exec(line))
      .find((match) => match?.[1]?.startsWith(top) && !match[1].includes("/node_modules/"));
  const syntax = placeIn(rest);
  const place = syntax ?? placeIn(stack.split("\n"));
  if (place === undefined || place === null)
    return new SlipwayError("CONFIG_UNREADABLE", { message: `${name}: ${said}`, hint });
  const [, at = file, line, column] = place;
  return unreadableAt(at === file ? text : "", relative(top, at), {
    line: Number(line),
    column: syntax === undefined ? null : Number(column),
    message: said,
    hint,
  });
}

/** Only what cannot be read as code is a matter of syntax. */
function hintOf(kind: ThrownKind, missing: string | null): string {
  switch (kind) {
    case "syntax":
      return "fix the file's syntax there, then run: slipway validate";
    case "module": {
      const isPackage = missing !== null && !/^[./]/.test(missing);
      const name = missing
        ?.split("/")
        .slice(0, missing.startsWith("@") ? 2 : 1)
        .join("/");
      return isPackage
        ? `install it where the config is: npm install ${name}; a deployment reads the config of a commit, where nothing is installed, so better leave it out`
        : "correct the path of the import, with its ending, or add the file to git; then run: slipway validate";
    }
    case "code":
      return "the file can be read, and what it does there failed: mend that line, then run: slipway validate";
  }
}
