import type { ServiceInput } from "../../../core/product/input.ts";
import { type Draft, healthOf, healthPathIn, nothing, type Reading, type Sources } from "./sources.ts";

/**
 * Where packages are put: a directory that is found again wherever the artifact is unpacked. A virtual environment is not,
 * since its programs hold the path they were made at.
 */
const packages = ".python";
const env = { PYTHONPATH: packages };
const entries = [
  "main.py",
  "app.py",
  "app/main.py",
  "app/app.py",
  "src/main.py",
  "src/app.py",
  "server.py",
  "api/main.py",
  "asgi.py",
  "wsgi.py",
  "app/__init__.py",
];

/** `requirements.txt` or `pyproject.toml` with FastAPI, Flask, Django or Celery. */
export function readPython(sources: Sources): Reading {
  const requirements = sources.read("requirements.txt");
  const pyproject = sources.read("pyproject.toml");
  const file = requirements !== null ? "requirements.txt" : "pyproject.toml";
  const text = `${requirements ?? ""}\n${pyproject ?? ""}`;
  if (text.trim() === "") return nothing;
  // A name at the beginning of a line or a text, with anything that may follow one in a requirement.
  const has = (name: string) => new RegExp(`(?:^|["'])\\s*${name}(?![\\w-])`, "im").test(text);
  const build = pythonBuild(sources);
  const base = { ...(build === undefined ? {} : { build }), env };
  const web = fastapi(sources, has, file, base) ?? django(sources, has, file, base) ?? flask(sources, has, file, base);
  const worker = has("celery") ? [celery(sources, file, base)] : [];
  const name = /^\s*name\s*=\s*["']([^"']+)["']/m.exec(pyproject ?? "")?.[1];
  return {
    drafts: [...(web === null ? [] : [web]), ...worker],
    notes: [],
    ...(name === undefined ? {} : { product: name }),
  };
}

export function pythonBuild(sources: Sources): ServiceInput["build"] {
  const what = sources.has("requirements.txt")
    ? ["-r", "requirements.txt"]
    : sources.has("pyproject.toml")
      ? ["."]
      : null;
  return what === null ? undefined : { command: ["python3", "-m", "pip", "install", "--target", packages, ...what] };
}

type Has = (name: string) => boolean;
type Base = Pick<ServiceInput, "build" | "env">;

function fastapi(sources: Sources, has: Has, file: string, base: Base): Draft | null {
  if (!has("fastapi")) return null;
  const { module, name, code, guesses } = application(sources, "FastAPI", "main");
  return webDraft(
    `${file}: fastapi`,
    `python3 -m uvicorn ${module}:${name} --host 127.0.0.1 --port "$PORT"`,
    base,
    code,
    guesses,
  );
}

function flask(sources: Sources, has: Has, file: string, base: Base): Draft | null {
  if (!has("flask")) return null;
  const { module, name, code, guesses } = application(sources, "Flask", "app");
  if (has("gunicorn"))
    return webDraft(
      `${file}: flask, gunicorn`,
      `python3 -m gunicorn --bind "127.0.0.1:$PORT" ${module}:${name}`,
      base,
      code,
      guesses,
    );
  const server = "Flask's own server is for development; add gunicorn to the requirements.";
  return webDraft(`${file}: flask`, `python3 -m flask --app ${module}:${name} run --port "$PORT"`, base, code, [
    ...guesses,
    server,
  ]);
}

function django(sources: Sources, has: Has, file: string, base: Base): Draft | null {
  if (!has("django") || !sources.has("manage.py")) return null;
  const site = sources.folders(".").find((name) => /^\w+$/.test(name) && sources.has(`${name}/wsgi.py`));
  if (has("gunicorn") && site !== undefined)
    return webDraft(
      `${file}: django, gunicorn`,
      `python3 -m gunicorn --bind "127.0.0.1:$PORT" ${site}.wsgi`,
      base,
      null,
      [],
    );
  const server = "Django's own server is for development; add gunicorn to the requirements.";
  return webDraft(`${file}: django`, `python3 manage.py runserver --noreload "127.0.0.1:$PORT"`, base, null, [server]);
}

function celery(sources: Sources, file: string, base: Base): Draft {
  const found = [...entries, "worker.py", "tasks.py", "celery_app.py", "app/worker.py", "app/tasks.py"].find((path) =>
    /\bCelery\(/.test(sources.read(path) ?? ""),
  );
  const module = found === undefined ? "app" : moduleOf(found);
  const guesses = found === undefined ? ["The module with the Celery application was not found; app is a guess."] : [];
  return {
    name: "worker",
    from: `${file}: celery`,
    guesses,
    service: { kind: "worker", ...base, command: ["python3", "-m", "celery", "-A", module, "worker"] },
  };
}

function webDraft(from: string, line: string, base: Base, code: string | null, guesses: readonly string[]): Draft {
  const { guesses: more, ...health } = healthOf(healthPathIn(code));
  const service: ServiceInput = { kind: "web", ...base, command: ["sh", "-c", `exec ${line}`], ...health };
  return { name: "web", from, guesses: [...guesses, ...more], service };
}

/** `app = FastAPI(` in one of the usual files. */
function application(
  sources: Sources,
  maker: string,
  usual: string,
): { module: string; name: string; code: string | null; guesses: readonly string[] } {
  for (const path of entries) {
    const code = sources.read(path);
    const name = new RegExp(`^(\\w+)\\s*(?::\\s*[\\w.]+\\s*)?=\\s*(?:\\w+\\.)?${maker}\\(`, "m").exec(code ?? "")?.[1];
    if (name !== undefined) return { module: moduleOf(path), name, code, guesses: [] };
  }
  return {
    module: usual,
    name: "app",
    code: null,
    guesses: [`The file with ${maker}(…) was not found; ${usual}:app is a guess.`],
  };
}

function moduleOf(path: string): string {
  return path.replace(/(\/__init__)?\.py$/, "").replaceAll("/", ".");
}
