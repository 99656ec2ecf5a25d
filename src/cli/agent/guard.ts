import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { reasonOf } from "../../core/errors/error.ts";

/** Well within a lease. */
const tellMs = 15_000;

/**
 * The program that outlives an agent: `guard.js <directory> <token file> <control plane>`. It reads what the agent never writes to; a pipe that closes
 * without a word is an agent that was killed, however that was. Then it ends what that has left running: processes, containers,
 * workspaces; and tells the ends of steps that had ended. Its own death changes nothing: the agent starts another.
 */
async function main({ directory, tokenFile, url }: Record<"directory" | "tokenFile" | "url", string>): Promise<void> {
  // The terminal may close, and what stops the agent may be sent to all of its session.
  for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) process.on(signal, () => undefined);
  let isOver = false;
  for await (const _word of process.stdin) isOver = true;
  if (isOver) return;
  const say = (line: string): void =>
    appendFileSync(join(directory, "guard.log"), `${new Date().toISOString()} ${line}\n`, { mode: 0o600 });
  try {
    // Only now: until then it is nearly nothing but Node.
    const [{ Link }, { agentMeans }, { clearLeft, endLeft, tellEnds }] = await Promise.all([
      import("./link.ts"),
      import("./means.ts"),
      import("./work.ts"),
    ]);
    const means = await agentMeans({ directory, engine: null, tokenFile });
    const token = readFileSync(tokenFile, "utf8").trim();
    const link = new Link({ url, token, log: say });
    const telling = tellEnds({ link, directory, log: say }, AbortSignal.timeout(tellMs));
    await Promise.all([telling, endLeft(means.executor)]);
    await clearLeft({ executor: means.executor, directory });
    await means.close();
    say("the agent was gone: what it had left running is ended");
  } catch (error) {
    say(`the agent was gone, and what it has left could not be ended: ${reasonOf(error)}`);
  }
}

const [directory = "", tokenFile = "", url = ""] = process.argv.slice(2);
await main({ directory, tokenFile, url });
process.exit(0);
