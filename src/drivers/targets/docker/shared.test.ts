import { expect, test } from "vitest";
import { Shared } from "./shared.ts";

const { signal } = new AbortController();

test("who asks the same after the same news gets one answer, and after other news or none a new one", async () => {
  const shared = new Shared<number>();
  const settle: ((value: number) => void)[] = [];
  const ask = () => new Promise<number>((resolve) => settle.push(resolve));
  const answers = [
    shared.get("a", 1, signal, ask),
    shared.get("a", 1, signal, ask),
    shared.get("b", 1, signal, ask),
    shared.get("a", null, signal, ask),
    shared.get("a", 2, signal, ask),
    shared.get("a", 1, signal, ask),
  ];
  expect(settle.length).toBe(4);
  settle.forEach((answer, index) => {
    answer(index);
  });
  expect(await Promise.all(answers)).toEqual([0, 0, 1, 2, 3, 3]);
  void shared.get("a", 2, signal, ask);
  expect(settle.length).toBe(5);
});

test("who goes away does not end it for the others, and a failure is told to all and kept for nobody", async () => {
  const shared = new Shared<number>();
  const away = new AbortController();
  let fail: (error: Error) => void = () => {};
  let asked = 0;
  const ask = () => {
    asked += 1;
    return new Promise<number>((_, reject) => {
      fail = reject;
    });
  };
  const leaving = shared.get("a", 1, away.signal, ask);
  const staying = shared.get("a", 1, signal, ask);
  away.abort(new Error("gone"));
  await expect(leaving).rejects.toThrow("gone");
  fail(new Error("no engine"));
  await expect(staying).rejects.toThrow("no engine");
  shared.get("a", 1, signal, ask).catch(() => {});
  expect(asked).toBe(2);
});
