import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { debianPart } from "../../src/testing/debian-part.ts";

type Walk = {
  readonly jenkinsfile: string;
  /** Where its lines of a shell are run, with what in their environment; else none is run. */
  readonly run?: { readonly directory: string; readonly env: Readonly<Record<string, string>> };
};

/** What the stages of a Jenkinsfile do, in their order. By Groovy 2.4.21, which Jenkins has too; its declarative linter is only in a Jenkins. */
export async function walkJenkinsfile({ jenkinsfile, run }: Walk): Promise<readonly string[]> {
  const groovy = await debianPart({
    name: "groovy",
    suite: "bookworm",
    package: "groovy",
    whole: false,
    beside: ["libantlr-java", "libasm-java", "libcommons-cli-java"],
  });
  const jars = readdirSync(join(groovy, "usr/share/java")).map((name) => join(groovy, "usr/share/java", name));
  const { stdout } = await promisify(execFile)(
    "java",
    [
      ...["-cp", jars.filter((jar) => jar.endsWith(".jar")).join(":"), "groovy.ui.GroovyMain"],
      fileURLToPath(new URL("jenkins.groovy", import.meta.url)),
      jenkinsfile,
      ...(run === undefined ? [] : [run.directory]),
    ],
    { env: { ...process.env, ...run?.env } },
  );
  return stdout.trim().split("\n");
}
