import { once } from "node:events";
import { expect, test } from "vitest";
import type { Json } from "../../../core/ids.ts";
import type { EngineHarness } from "../harness.ts";
import { effectsOf, programKind } from "../program.ts";
import { eventually, setScene } from "../scene.ts";

const mib = 1024 * 1024;

export function stepContract(harness: EngineHarness): void {
  test("a workflow runs its verbs in order and ends with its output", async () => {
    const { here, input, attempts } = await setScene(harness);
    const { engine, store } = await here();
    await engine.start(programKind, "w", input({ do: "step", name: "a" }, { do: "tx", name: "b" }));

    expect(await engine.ended("w")).toEqual({
      id: "w",
      kind: programKind,
      status: "succeeded",
      output: [{ name: "a" }, "w b"],
      error: null,
    });
    expect(attempts("w").map(({ key, name }) => [key, name])).toEqual([["w/0", "a"]]);
    expect(await effectsOf(store.db, "w")).toEqual(["b"]);
  });

  test("an act is performed and written down as one, and is one place in the journal", async () => {
    const { here, input, attempts } = await setScene(harness);
    const { engine, store } = await here();
    await engine.start(programKind, "w", input({ do: "act", name: "a" }, { do: "step", name: "b" }));

    expect((await engine.ended("w")).output).toEqual(["w a", { name: "b" }]);
    expect(attempts("w").map(({ key }) => key)).toEqual(["w/0", "w/1"]);
    expect(await effectsOf(store.db, "w")).toEqual(["a"]);
  });

  test("an act whose record is refused has written nothing, and is not performed again", async () => {
    const { here, input, attempts } = await setScene(harness);
    const { engine, store } = await here();
    await engine.start(
      programKind,
      "w",
      input({ do: "try", act: { do: "act", name: "a", attempts: 3, refuses: true } }),
    );

    expect((await engine.ended("w")).output).toMatchObject([{ code: "ENVIRONMENT_LOCKED" }]);
    expect(attempts("w")).toHaveLength(1);
    expect(await effectsOf(store.db, "w")).toEqual([]);
  });

  test("an act that fails is tried as a step is, and its record is written once it has been done", async () => {
    const { here, input, attempts } = await setScene(harness);
    const { engine, store } = await here();
    await engine.start(programKind, "w", input({ do: "act", name: "a", failures: 2, attempts: 3 }));

    expect((await engine.ended("w")).output).toEqual(["w a"]);
    expect(attempts("w")).toHaveLength(3);
    expect(await effectsOf(store.db, "w")).toEqual(["a"]);
  });

  test("a second start with the same id changes nothing", async () => {
    const { here, input, attempts } = await setScene(harness);
    const { engine } = await here();
    await Promise.all([
      engine.start(programKind, "w", input({ do: "step", name: "first" })),
      engine.start(programKind, "w", input({ do: "step", name: "second" })),
    ]);
    await engine.ended("w");
    await engine.start(programKind, "w", input({ do: "step", name: "third" }));

    expect((await engine.ended("w")).output).toEqual([{ name: "first" }]);
    expect(attempts("w")).toHaveLength(1);
  });

  test("an unknown workflow is null, and waiting for its end is refused", async () => {
    const { here } = await setScene(harness);
    const { engine } = await here();

    expect(await engine.get("nobody")).toBeNull();
    await expect(engine.ended("nobody")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("parallel steps have the places of their calls, each with its own key", async () => {
    const { here, input, attempts } = await setScene(harness);
    const { engine } = await here();
    const acts = ["a", "b", "c"].map((name) => ({ do: "step", name }) as const);
    await engine.start(programKind, "w", input({ do: "together", acts }, { do: "step", name: "d" }));

    await engine.ended("w");
    const keys = attempts("w").map(({ key, name }) => [name, key]);
    expect(Object.fromEntries(keys)).toEqual({ a: "w/0", b: "w/1", c: "w/2", d: "w/3" });
  });

  test("only errors that say retryable are tried again, as often as asked", async () => {
    const { here, input, attempts } = await setScene(harness);
    const { engine } = await here();
    await engine.start(programKind, "heals", input({ do: "step", name: "s", failures: 2, attempts: 3 }));
    await engine.start(programKind, "gives-up", input({ do: "step", name: "s", failures: 9, attempts: 3 }));
    await engine.start(programKind, "final", input({ do: "step", name: "s", does: "refuse", attempts: 3 }));

    expect(await engine.ended("heals")).toMatchObject({ status: "succeeded" });
    expect(await engine.ended("gives-up")).toMatchObject({ status: "failed", error: "EDGE_DIED s failed" });
    expect(await engine.ended("final")).toMatchObject({ status: "failed", error: "PORT_TAKEN s refused" });
    expect(["heals", "gives-up", "final"].map((id) => attempts(id).length)).toEqual([3, 3, 1]);
  });

  test("an attempt that takes too long is aborted, fails with TIMED_OUT, and what it returns then does not count", async () => {
    const { here, input, attempts } = await setScene(harness);
    const { engine } = await here();
    const slow = { do: "step", name: "slow", does: "return-when-aborted", timeoutMs: 10, attempts: 2 } as const;
    await engine.start(programKind, "w", input(slow));

    expect(await engine.ended("w")).toMatchObject({
      status: "failed",
      error: "TIMED_OUT slow was not done within 10 ms",
    });
    expect(attempts("w").filter(({ note }) => note === "")).toHaveLength(2);
    expect(attempts("w").filter(({ note }) => note === "aborted by SlipwayError")).toHaveLength(2);
  });

  test("attempts are counted over a crash between two of them", async () => {
    const { here, input, attempts } = await setScene(harness);
    const step = { do: "step", name: "s", failures: 9, attempts: 4 } as const;
    let records = 0;
    const before = await here({
      onBoundary: ({ at }) => {
        if (at === "after-record" && ++records === 2) throw new Error("crash");
      },
    });
    await before.engine.start(programKind, "w", input(step));
    await eventually(() => records).toBe(2);
    await before.close();

    const after = await here();
    expect(await after.engine.ended("w")).toMatchObject({ status: "failed", error: "EDGE_DIED s failed" });
    expect(attempts("w")).toHaveLength(4);
  });

  test("a failed step and a refused transaction are the same errors on replay, and are not tried again", async () => {
    const { here, input, attempts } = await setScene(harness);
    const acts = [
      { do: "try", act: { do: "step", name: "s", does: "refuse" } },
      { do: "try", act: { do: "tx", name: "t", refuses: true } },
      { do: "try", act: { do: "step", name: "b", does: "bug" } },
      { do: "wait", topic: "go" },
    ] as const;
    const before = await here();
    await before.engine.start(programKind, "live", input(...acts));
    await before.engine.signal("live", "go", 1, "k");
    const live = await before.engine.ended("live");
    let waiting = false;
    await before.close();

    const crashed = await here({
      onBoundary: ({ name, at }) => {
        waiting ||= name === "go" && at === "before-perform";
      },
    });
    await crashed.engine.start(programKind, "replayed", input(...acts));
    await eventually(() => waiting).toBe(true);
    await crashed.close();
    const after = await here();
    await after.engine.signal("replayed", "go", 1, "k");

    const replayed = await after.engine.ended("replayed");
    expect(replayed.output).toEqual([
      { code: "PORT_TAKEN", message: "s refused", evidence: [["seen", "s"]], hint: "no" },
      expect.objectContaining({ code: "ENVIRONMENT_LOCKED", message: "replayed t refused" }),
      expect.objectContaining({ code: "INTERNAL", message: "b is broken" }),
      1,
    ]);
    expect(JSON.stringify(replayed.output)).toBe(JSON.stringify(live.output).replaceAll("live t", "replayed t"));
    expect(attempts("replayed").map(({ name }) => name)).toEqual(["s", "b"]);
  });

  test("the writes of a transaction that fails are undone", async () => {
    const { here, input } = await setScene(harness);
    const { engine, store } = await here();
    await engine.start(programKind, "w", input({ do: "try", act: { do: "tx", name: "t", refuses: true } }));

    await engine.ended("w");
    expect(await effectsOf(store.db, "w")).toEqual([]);
  });

  test("a bug fails its workflow with its words, and no other", async () => {
    const { here, input } = await setScene(harness);
    const { engine } = await here();
    await engine.start(programKind, "good", input({ do: "sleep", name: "z", ms: 20 }, { do: "step", name: "s" }));
    await engine.start(programKind, "bad", input({ do: "throw", message: "a bug" }));

    expect(await engine.ended("bad")).toMatchObject({ status: "failed", output: null, error: "INTERNAL a bug" });
    expect(await engine.ended("good")).toMatchObject({ status: "succeeded" });
  });

  test("branches that nobody waits for are stopped at the end, and their failure harms nobody", async () => {
    const { here } = await setScene(harness);
    const ends: string[] = [];
    const { engine } = await here({
      kinds: {
        "race.v1": async (ctx) => {
          const lost = ctx.step("lost", async ({ signal }) => {
            await once(signal, "abort");
            await new Promise((resolve) => setTimeout(resolve, 20));
            ends.push("aborted");
            throw new Error("nobody looks");
          });
          return await Promise.race([lost, ctx.step("won", async () => "won")]);
        },
      },
    });
    await engine.start("race.v1", "w", null);

    expect(await engine.ended("w")).toMatchObject({ status: "succeeded", output: "won" });
    expect(ends).toEqual(["aborted"]);
  });

  test("more than 1 MiB is refused by name: as input, signal, output of a step and of a workflow", async () => {
    const { here, input } = await setScene(harness);
    const { engine } = await here({ kinds: { "big.v1": async () => "x".repeat(mib) } });
    const big: Json = "x".repeat(mib);
    const refusal = { code: "PAYLOAD_TOO_LARGE" };
    await expect(engine.start(programKind, "w", big)).rejects.toMatchObject({
      ...refusal,
      message: "the input of w is 1048578 bytes of JSON; at most 1048576 are kept",
    });
    expect(await engine.get("w")).toBeNull();

    await engine.start(programKind, "w", input({ do: "wait", topic: "go" }, { do: "step", name: "s", bytes: mib }));
    await expect(engine.signal("w", "go", big, "k")).rejects.toMatchObject(refusal);
    await engine.signal("w", "go", "x".repeat(mib - 2), "k");
    expect((await engine.ended("w")).error).toMatch(/^PAYLOAD_TOO_LARGE the output of s is/);

    await engine.start("big.v1", "b", null);
    expect((await engine.ended("b")).error).toMatch(/^PAYLOAD_TOO_LARGE the output of b is/);
  });
}
