import type { ComposeHealth } from "../model.ts";
import { Fields, list, type Read, text } from "./fields.ts";

/** `healthcheck`. */
export const health: Read<ComposeHealth> = (value, at, notes) => {
  const fields = new Fields(value, at, notes);
  const found = {
    disabled: fields.flag("disable") ?? false,
    test: fields.read("test", test),
    intervalMs: fields.durationMs("interval"),
    timeoutMs: fields.durationMs("timeout"),
    startPeriodMs: fields.durationMs("start_period"),
    startIntervalMs: fields.durationMs("start_interval"),
    retries: fields.whole("retries", { min: 0, max: 1_000_000 }),
  };
  fields.end();
  return found;
};

const test: Read<readonly string[]> = (value, at, notes) => {
  if (typeof value === "string") return ["CMD-SHELL", value];
  const words = list(text)(value, at, notes);
  if (words === null || words.length === 0 || ["CMD", "CMD-SHELL", "NONE"].includes(words[0]!)) return words;
  const allowed = '["CMD", program, …], ["CMD-SHELL", text], ["NONE"], or one text';
  notes.error([...at, 0], `a test begins with CMD, CMD-SHELL or NONE; use ${allowed}`, { allowed });
  return null;
};
