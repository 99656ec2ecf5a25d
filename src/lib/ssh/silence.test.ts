import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { describe, expect, test } from "vitest";
import { addressIn, connects, type Listening, untilSilent } from "./silence.ts";

/** A far end that answers the first `good` questions, and a host behind it that says so much about itself, in turn. */
function farEnd(good: number, reachable: readonly (boolean | null)[]) {
  const seen = { asked: 0, looked: 0 };
  const far: Listening = {
    ask: () => {
      seen.asked += 1;
    },
    answers: () => Math.min(seen.asked, good),
    isReachable: async () => {
      seen.looked += 1;
      return reachable[seen.looked - 1] ?? null;
    },
    everyMs: 1,
  };
  return { far, seen };
}

describe("a connection is given up", () => {
  test("when its far end is silent and the host takes no new one", async () => {
    const { far, seen } = farEnd(3, [false]);
    await untilSilent(far, new AbortController().signal);
    expect([seen.asked, seen.looked]).toEqual([4, 1]);
  });

  test("never while one of both answers, nor where nobody can tell", async () => {
    const { far, seen } = farEnd(2, [true, null, false]);
    await untilSilent(far, new AbortController().signal);
    expect([seen.asked, seen.looked]).toEqual([5, 3]);
  });

  test("not when the answer comes while the host is asked", async () => {
    const stop = new AbortController();
    let answers = 0;
    const looked: number[] = [];
    const isReachable = async () => {
      answers += 1;
      looked.push(answers);
      if (looked.length === 3) stop.abort();
      return false;
    };
    const watched = untilSilent({ ask: () => {}, answers: () => answers, isReachable, everyMs: 1 }, stop.signal);
    await expect(watched).rejects.toThrow();
    expect(looked).toEqual([1, 2, 3]);
  });
});

test("ssh's own reading of its config says where a host listens, unless the way there is by others", () => {
  const direct = "user deploy\nhostname 203.0.113.7\nport 2222\nproxyusefdpass no\n";
  expect(addressIn(direct)).toEqual({ host: "203.0.113.7", port: 2222 });
  expect(addressIn(`${direct}proxyjump none\nproxycommand none\n`)).toEqual({ host: "203.0.113.7", port: 2222 });
  expect(addressIn(`${direct}proxyjump bastion\n`)).toBeNull();
  expect(addressIn(`${direct}proxycommand cloudflared access ssh\n`)).toBeNull();
  expect(addressIn("")).toBeNull();
});

test("a host that refuses is there", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const at = { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
  expect(await connects(at, 10_000)).toBe(true);
  await once(server.close(), "close");
  expect(await connects(at, 10_000)).toBe(true);
});
