import { dirname } from "node:path";
import { SlipwayError } from "../../core/errors/error.ts";
import { kindText, type Parameter } from "../../core/pipeline/parameter.ts";
import { resolveParameters } from "../../core/pipeline/resolve.ts";
import { findConfig } from "../config/find.ts";
import { loadConfig } from "../config/load.ts";
import { output } from "../output.ts";
import type { GlobalOptions } from "../session.ts";
import { style, table } from "../terminal/style.ts";

/** Of `--param level=full`, each once; the control plane looks at the values. Errors: USAGE. */
export function givenParameters(texts: readonly string[] = []): Readonly<Record<string, string>> {
  return Object.fromEntries(texts.map(parameterOf));
}

function parameterOf(text: string): readonly [string, string] {
  const at = text.indexOf("=");
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw new SlipwayError("USAGE", {
    message: `--param ${text} has no value`,
    hint: "write it like --param level=full",
  });
}

/** The parameters of the pipeline, as the config of the working tree has them. */
export async function runParameters(options: GlobalOptions): Promise<number> {
  const out = output(options);
  const { config } = await loadConfig({ directory: dirname(findConfig(process.cwd())) });
  const parameters = resolveParameters(config.pipeline ?? {});
  out.json({ parameters });
  if (parameters.length === 0) out.line("the pipeline has no parameters; see: slipway explain pipeline.parameters");
  for (const line of table(parameters.map(rowOf))) out.line(line);
  return 0;
}

function rowOf({ name, kind, default: value, meaning }: Parameter): string[] {
  const usual = value === null ? "must be given" : `else ${JSON.stringify(value).slice(1, -1) || '""'}`;
  return [style.name(name), kindText(kind), usual, style.quiet(meaning ?? "")];
}
