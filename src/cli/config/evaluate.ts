import { parentPort, workerData } from "node:worker_threads";
import { createJiti } from "jiti";

/**
 * The program of the worker that runs one `.ts` or `.js` config, so that nothing a config does (an endless loop,
 * process.exit, memory, changed globals) touches the process that asked.
 */
export type EvaluateTask = { readonly file: string; readonly text: string; readonly entry: string };

export type Evaluated =
  | { readonly is: "value"; readonly value: unknown }
  /** It ran, but what it exports is not a config. */
  | { readonly is: "unusable"; readonly why: string; readonly hint: string }
  | { readonly is: "threw"; readonly kind: ThrownKind; readonly message: string; readonly stack: string };

/** What it is that was thrown: the file could not be read as code, something that it imports is not there, or its code failed. */
export type ThrownKind = "syntax" | "module" | "code";

const maxDepth = 32;

export async function evaluate({ file, text, entry }: EvaluateTask): Promise<Evaluated> {
  try {
    // No cache on disk: a config is small, and its directory may be a checkout that must stay as it is.
    const jiti = createJiti(file, {
      fsCache: false,
      moduleCache: false,
      interopDefault: false,
      alias: { slipway: entry },
    });
    const ext = file.slice(file.lastIndexOf("."));
    const module = (await jiti.evalModule(text, { id: file, filename: file, ext, async: true })) as object;
    if (!("default" in module))
      return { is: "unusable", why: "it has no default export", hint: "write: export default defineProduct({ … })" };
    const exported: unknown = await module.default;
    if (typeof exported === "function")
      return {
        is: "unusable",
        why: "it exports a function",
        hint: "export the config itself, or a promise of it: export default defineProduct({ … })",
      };
    return plainData(exported);
  } catch (error) {
    const isError = error instanceof Error || (typeof error === "object" && error !== null && "stack" in error);
    const { message, stack } = isError ? (error as Error) : { message: String(error), stack: "" };
    return { is: "threw", kind: kindOf(error), message: String(message), stack: String(stack) };
  }
}

function kindOf(error: unknown): ThrownKind {
  const { code = "", message = "" } = (error ?? {}) as { code?: unknown; message?: unknown };
  // Code that runs throws errors of syntax too, such as JSON.parse.
  if (String(message).startsWith("ParseError: ")) return "syntax";
  return /^(?:ERR_)?MODULE_NOT_FOUND$/.test(String(code)) || /^Cannot find (?:module|package)/.test(String(message))
    ? "module"
    : "code";
}

/** A copy that holds data only; anything else in it is named with its place. */
function plainData(root: unknown): Evaluated {
  let fault: string | null = null;
  const copy = (value: unknown, path: string, depth: number): unknown => {
    if (fault !== null || value === null) return value;
    const refuse = (what: string) => {
      fault = `${path === "" ? "it" : path} is ${what}`;
    };
    if (typeof value === "function" || typeof value === "symbol" || typeof value === "bigint")
      return refuse(`a ${typeof value}`);
    if (typeof value !== "object") return value;
    if (depth > maxDepth) return refuse(`deeper than ${maxDepth} levels, or holds itself`);
    if (Array.isArray(value)) return value.map((item, index) => copy(item, `${path}[${index}]`, depth + 1));
    // A value of another realm has another Object.prototype: what has no grandparent is plain.
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return refuse(`a ${value.constructor.name}`);
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, copy(item, path === "" ? key : `${path}.${key}`, depth + 1)]),
    );
  };
  const value = copy(root, "", 0);
  return fault === null
    ? { is: "value", value }
    : { is: "unusable", why: fault, hint: "a config holds texts, numbers, true, false, null, lists and objects" };
}

if (parentPort !== null) {
  const port = parentPort;
  evaluate(workerData as EvaluateTask).then((result) => port.postMessage(result));
}
