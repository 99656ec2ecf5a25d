import { expect, it } from "vitest";
import { Timeline } from "./timeline.ts";

it("time passes when all that is in motion has come to rest, whoever has it pass", async () => {
  const courseFrom = (call: (run: () => void) => void): Promise<readonly (readonly [string, number])[]> =>
    new Promise((resolve, reject) =>
      call(() => {
        const timeline = new Timeline();
        const course: [string, number][] = [];
        const note = (what: string): void => void course.push([what, timeline.nowMs]);
        const inMotion = async (): Promise<void> => {
          for (let step = 0; step < 20; step += 1) await null;
          note("at rest");
        };
        void inMotion();
        timeline.after(3_000, () => note("later"));
        timeline.run(() => course.length === 2, 10_000).then(() => resolve(course), reject);
      }),
    );
  const course = [
    ["at rest", 0],
    ["later", 3_000],
  ];
  expect(await courseFrom((run) => void Promise.resolve().then(run))).toEqual(course);
  // As a message to a thread does, and as a turn of the event loop does.
  expect(await courseFrom((run) => void setImmediate(run))).toEqual(course);
});
