import { nodeRecipe } from "./node.ts";
import { pythonRecipe } from "./python.ts";
import type { FoundFiles, Recipe, RecipeWishes } from "./recipe.ts";
import { siteRecipe } from "./site.ts";

/** A Dockerfile for what is found in a context that has none. The same files give the same text. */
export function generateDockerfile(files: FoundFiles, wishes: RecipeWishes): Recipe {
  const has = (path: string): boolean => files.paths.has(path);
  if (wishes.site !== null) return siteRecipe(files, wishes);
  const isPython = has("requirements.txt") || has("pyproject.toml");
  // A Python program with a package.json for its styles is a Python program when that is how it is started.
  if (
    isPython &&
    (!has("package.json") ||
      /^(?:python|gunicorn|uvicorn|celery|flask|hypercorn|daphne|uv$)/.test(wishes.command[0] ?? ""))
  ) {
    return pythonRecipe(files, wishes);
  }
  if (has("package.json")) return nodeRecipe(files, wishes);
  if (has("index.html") && wishes.command.length === 0) return siteRecipe(files, wishes);
  return {
    is: "refused",
    why: "there is no Dockerfile, and no package.json, requirements.txt, pyproject.toml or index.html to make one from",
    hint: "write a Dockerfile, or set the service's path to the directory that has these files",
  };
}
