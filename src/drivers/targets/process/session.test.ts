import { tmpdir } from "node:os";
import { expect, it } from "vitest";
import type { Session, SessionSpec } from "../../../ports/session.ts";
import { openProcessSession } from "./session.ts";

const never = new AbortController().signal;
const at = { cwd: tmpdir(), env: { PATH: process.env.PATH ?? "", COLOUR: "blue" } };
const open = (spec: Pick<SessionSpec, "command" | "terminal">, signal = never) => openProcessSession(spec, at, signal);

async function printed(session: Session, until?: string): Promise<string> {
  let text = "";
  for await (const { data } of session.output) {
    text += data.toString("utf8");
    if (until !== undefined && text.includes(until)) return text;
  }
  return text;
}

it("passes input, output, environment and exit code on", async () => {
  const session = await open({ command: ["sh", "-c", 'read word; echo "$COLOUR $word"; exit 7'], terminal: null });
  await session.write(Buffer.from("sky\n"));
  session.end();
  expect(await printed(session)).toBe("blue sky\n");
  expect(await session.exit).toBe(7);
});

it("a terminal has its size from the start, is resized, and says whom Ctrl-C meant", async () => {
  const script =
    'trap "echo told; stty size" WINCH; trap "echo stopped; exit 3" INT; stty size; while :; do sleep 0.05; done';
  const again = await open({ command: ["sh", "-c", script], terminal: { columns: 91, rows: 17 } });
  const seen: string[] = [];
  for await (const { data } of again.output) {
    const text = data.toString("utf8");
    seen.push(text);
    if (text.includes("17 91")) await again.resize({ columns: 100, rows: 40 });
    if (text.includes("40 100")) await again.write(Buffer.from([3]));
  }
  expect(seen.join("")).toMatch(/17 91.*told.*40 100.*stopped/s);
  expect(await again.exit).toBe(3);
});

it("a signal reaches the command, and who goes away takes it along", async () => {
  const asked = await open({
    command: ["sh", "-c", 'trap "exit 5" TERM; echo up; while :; do sleep 0.05; done'],
    terminal: null,
  });
  for await (const { data } of asked.output) {
    if (data.toString("utf8").includes("up")) expect(await asked.signal("SIGTERM")).toBe(true);
  }
  expect(await asked.exit).toBe(5);
  const gone = new AbortController();
  const left = await open({ command: ["sleep", "1000"], terminal: null }, gone.signal);
  gone.abort(new Error("gone"));
  expect(await left.exit).toBe(137);
  await expect(open({ command: ["there-is-no-such-program"], terminal: null })).rejects.toMatchObject({
    code: "EXEC_FAILED",
  });
});
