import fc from "fast-check";
import { expect, test } from "vitest";
import { decideTrigger, type KnownRef } from "./decide.ts";
import { refPath } from "./event.ts";
import { lookAtRefs } from "./poll.ts";
import { type TriggerSettings, triggerSettings } from "./settings.ts";

const settings = triggerSettings({
  triggers: { branches: { main: {}, "feature/*": {} }, tags: { "v*": {} }, poll: "1m" },
}) as TriggerSettings;

const [a, b] = ["a".repeat(40), "b".repeat(40)] as [string, string];
const none: ReadonlySet<string> = new Set();
const at = (refs: Record<string, string>) => new Map(Object.entries(refs));
const said = ({ moved, remembered }: ReturnType<typeof lookAtRefs>) => ({
  moved: moved.map(({ ref, before, after }) => [refPath(ref), before, after]),
  remembered: remembered.map(({ ref, after }) => [refPath(ref), after]),
});

test("at the first look what is there is remembered; afterwards what is new, has moved or has gone is told", () => {
  const refs = at({ "refs/heads/main": a, "refs/tags/v1": a, "refs/heads/other": a, "refs/pull/1/head": a });
  expect(said(lookAtRefs(refs, new Map(), settings, { first: true, missing: none }))).toEqual({
    moved: [],
    remembered: [
      ["refs/heads/main", a],
      ["refs/tags/v1", a],
    ],
  });
  const known = new Map<string, KnownRef>([
    ["refs/heads/main", { before: null, after: a }],
    ["refs/heads/feature/old", { before: null, after: a }],
  ]);
  const now = at({ "refs/heads/main": b, "refs/heads/feature/new": a, "refs/heads/other": b });
  const once = lookAtRefs(now, known, settings, { first: false, missing: none });
  expect(said(once).moved).toEqual([
    ["refs/heads/main", a, b],
    ["refs/heads/feature/new", null, a],
  ]);
  // What one look does not find has not gone yet: with it goes a preview and its data.
  expect(said(lookAtRefs(now, known, settings, { first: false, missing: once.missing })).moved).toEqual([
    ["refs/heads/main", a, b],
    ["refs/heads/feature/new", null, a],
    ["refs/heads/feature/old", a, null],
  ]);
});

test("whatever moves between two looks, what a look tells brings what is known to what is there", () => {
  const ref = fc.constantFrom("refs/heads/main", "refs/heads/feature/a", "refs/heads/feature/b", "refs/tags/v1");
  const remote = fc.dictionary(ref, fc.constantFrom(a, b), { maxKeys: 4 });
  fc.assert(
    fc.property(fc.array(remote, { minLength: 1, maxLength: 8 }), (states) => {
      const known = new Map<string, KnownRef>();
      for (const [index, state] of states.entries()) {
        const { moved, remembered } = lookAtRefs(at(state), known, settings, {
          first: index === 0,
          missing: new Set(known.keys()),
        });
        for (const event of moved) {
          const path = refPath(event.ref);
          const decision = decideTrigger(event, settings, known.get(path) ?? null);
          expect(decision.is === "ignore" ? decision.why : decision.is).toBe(
            event.after === null ? "deleted" : "begin",
          );
          if (event.after === null) known.delete(path);
          else known.set(path, { before: event.before, after: event.after });
        }
        for (const one of remembered) known.set(refPath(one.ref), { before: null, after: one.after });
        expect(Object.fromEntries([...known].map(([path, { after }]) => [path, after]))).toEqual({ ...state });
        expect(said(lookAtRefs(at(state), known, settings, { first: false, missing: none }))).toEqual({
          moved: [],
          remembered: [],
        });
      }
    }),
  );
});
