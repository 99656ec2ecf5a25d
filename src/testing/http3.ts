import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { debianPart } from "./debian-part.ts";

export type Http3Answer = { readonly version: string; readonly status: number; readonly body: string };

/** Asks by HTTP/3 and nothing else, as whom the authority in `caFile` is trusted by. Rejects when there is no answer by it. */
export type AskHttp3 = (url: string, options: { readonly caFile: string }) => Promise<Http3Answer>;

const answerWithinS = 30;

/** A real client: the curl of Debian 13, with the libraries of its own that it needs. Names of `.example` are this machine. */
export async function http3Client(): Promise<AskHttp3> {
  const root = await debianPart({ name: "curl", suite: "trixie", package: "curl", whole: true });
  const libraries = directoriesIn(join(root, "usr/lib")).filter((each) => /-linux-gnu$/.test(each));
  const [loader = ""] = ["usr/lib64", ...libraries.map((each) => join("usr/lib", each)), "usr/lib"].flatMap((each) =>
    namesIn(join(root, each)).flatMap((name) => (/^ld-linux.*\.so\.\d$/.test(name) ? [join(root, each, name)] : [])),
  );
  const curl = [
    loader,
    ...["--library-path", libraries.map((each) => join(root, "usr/lib", each)).join(":")],
    join(root, "usr/bin/curl"),
  ];
  return async (url, { caFile }) => {
    const { hostname, port } = new URL(url);
    const [program = "", ...args] = [
      ...[...curl, "--http3-only", "--silent", "--show-error", "--max-time", String(answerWithinS)],
      ...["--cacert", caFile, "--resolve", `${hostname}:${port}:127.0.0.1`],
      ...["--write-out", "\n%{http_version} %{http_code}", url],
    ];
    const { stdout } = await promisify(execFile)(program, args);
    const at = stdout.lastIndexOf("\n");
    const [version = "", status = ""] = stdout.slice(at + 1).split(" ");
    return { version, status: Number(status), body: stdout.slice(0, at) };
  };
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function directoriesIn(directory: string): readonly string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((each) => (each.isDirectory() ? [each.name] : []));
}
