import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { linkedSignal } from "./linked-signal.ts";

test("follows the first of its sources, with its reason, and one that is aborted already", () => {
  const [one, other] = [new AbortController(), new AbortController()];
  const { signal } = linkedSignal([one.signal, other.signal]);
  expect(signal.aborted).toBe(false);
  other.abort(new Error("enough"));
  one.abort(new Error("too late"));
  expect(signal.reason).toEqual(new Error("enough"));
  expect(linkedSignal([one.signal]).signal.reason).toEqual(new Error("too late"));
});

test("has a time limit, and a release that leaves nothing in its sources", async () => {
  const source = new AbortController();
  const short = linkedSignal([source.signal], 5);
  await new Promise((resolve) => short.signal.addEventListener("abort", resolve));
  expect(short.signal.reason.name).toBe("TimeoutError");
  const released = linkedSignal([source.signal], 5);
  expect(getEventListeners(source.signal, "abort").length).toBe(2);
  short.release();
  released.release();
  released.release();
  expect(getEventListeners(source.signal, "abort").length).toBe(0);
  source.abort();
  expect(released.signal.aborted).toBe(false);
});

test("ends by itself too, with the first reason that there was, and leaves nothing in its sources", () => {
  const source = new AbortController();
  const ended = linkedSignal([source.signal]);
  ended.end(new Error("over"));
  ended.end(new Error("once more"));
  expect(ended.signal.reason).toEqual(new Error("over"));
  expect(getEventListeners(source.signal, "abort").length).toBe(0);
  const late = linkedSignal([source.signal]);
  source.abort(new Error("enough"));
  late.end(new Error("over"));
  expect(late.signal.reason).toEqual(new Error("enough"));
});
