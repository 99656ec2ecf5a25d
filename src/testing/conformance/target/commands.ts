import { expect } from "vitest";
import { type InstanceId, instanceId, revisionId } from "../../../core/ids.ts";
import { freshPrefix, type Session, type Sessions } from "../../../ports/session.ts";
import type { RevisionSpec, Target } from "../../../ports/target.ts";
import { runningOf } from "./observing.ts";

const never = new AbortController().signal;

export type Ended = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** Runs a command beside an instance to its end, without input. */
export async function runBeside(target: Sessions, instance: InstanceId, command: readonly string[]): Promise<Ended> {
  const session = await target.session({ place: { instance }, command, terminal: null }, never);
  session.end();
  return endOf(session);
}

async function endOf(session: Session): Promise<Ended> {
  const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  for await (const { stream, data } of session.output) chunks[stream].push(Buffer.from(data));
  const text = (stream: keyof typeof chunks): string => Buffer.concat(chunks[stream]).toString("utf8");
  return { code: await session.exit, stdout: text("stdout"), stderr: text("stderr") };
}

/** A command beside an instance: exit code, both outputs and all of them, and a refusal in words. */
export async function runsCommandsBeside(target: Target & Sessions, wanted: RevisionSpec): Promise<void> {
  const [instance] = runningOf(await target.ensure(wanted, 1, never));
  if (instance === undefined) throw new Error("an instance runs");
  const { id } = instance;
  const script = "cat 'hello world ü.txt'; echo $SLIPWAY_INSTANCE >&2; exit 5";
  expect(await runBeside(target, id, ["sh", "-c", script])).toEqual({ code: 5, stdout: "hello", stderr: `${id}\n` });
  const loud = await runBeside(target, id, ["sh", "-c", "head -c 5000000 /dev/zero | tr '\\0' x"]);
  expect([loud.code, loud.stdout.length]).toEqual([0, 5_000_000]);
  // Engines before 25 start the command first, and write into its output that there is none.
  const missing = await runBeside(target, id, ["there-is-no-such-command"]).catch((error: unknown) => error);
  expect(missing).toSatisfy(
    (seen: Ended | { code: string }) => seen.code === "EXEC_FAILED" || seen.code === 126 || seen.code === 127,
  );
  const absent = runBeside(target, instanceId(wanted.id, 9), ["true"]);
  await expect(absent).rejects.toMatchObject({ code: "INSTANCE_NOT_FOUND" });
  await target.remove(wanted.id, never);
}

/** A person at a terminal, beside an instance and in a fresh one: its size, what is typed, the exit code; nothing is left of it. */
export async function talksOnATerminal(target: Target & Sessions, wanted: RevisionSpec): Promise<void> {
  const [instance] = runningOf(await target.ensure(wanted, 1, never));
  if (instance === undefined) throw new Error("an instance runs");
  const fresh = { ...wanted, id: revisionId(`${freshPrefix}${wanted.id.replaceAll("_", "")}`) };
  const script =
    'until [ "$(stty size)" = "17 91" ]; do sleep 0.05; done; echo ready; read word; echo "got $word in $SLIPWAY_REVISION"; exit 7';
  for (const place of [{ instance: instance.id }, { fresh }]) {
    const terminal = { rows: 17, columns: 91 };
    const session = await target.session({ place, command: ["sh", "-c", script], terminal }, never);
    let screen = "";
    for await (const { data } of session.output) {
      const before = screen;
      screen += data.toString("utf8");
      if (!before.includes("ready") && screen.includes("ready")) await session.write(Buffer.from("blue\r"));
    }
    expect(screen).toContain(`got blue in ${"fresh" in place ? fresh.id : wanted.id}`);
    expect(await session.exit).toBe(7);
  }
  expect((await target.observe({})).map(({ id }) => id)).toEqual([wanted.id]);
  await target.remove(wanted.id, never);
}
