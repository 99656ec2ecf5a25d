import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Database } from "../../../testing/databases/database.ts";
import { startMariaDb, testPassword } from "../../../testing/databases/servers.ts";
import { mysqlProbe } from "./index.ts";

const password = encodeURIComponent(testPassword);
const soon = (): AbortSignal => AbortSignal.timeout(20_000);
let mariadb: Database;

beforeAll(async () => {
  mariadb = await startMariaDb();
});
afterAll(() => mariadb.down());

const probe = (user: string, rest = "") =>
  mysqlProbe({ url: new URL(`mysql://${user}@127.0.0.1:${mariadb.port}/${rest}`) }).read(soon());

describe("a MariaDB", () => {
  it("answers a ping in the clear and through TLS, with and without a password and a database", async () => {
    const answered = { is: "pass", saw: expect.stringMatching(/MariaDB.* answers$/) };
    expect(await probe(`slip:${password}`)).toEqual(answered);
    expect(await probe(`slip:${password}`, "?ssl-mode=REQUIRED")).toEqual(answered);
    expect(await probe(`slip:${password}`, "?ssl-mode=DISABLED")).toEqual(answered);
    expect(await probe(`slip:${password}`, "information_schema")).toEqual(answered);
    expect(await probe("root", "mysql")).toEqual(answered);
  });

  it("that does not let us in is unknown, and no message has the password in it", async () => {
    const outcome = await probe("slip:wrong");
    expect(outcome).toEqual({ is: "unknown", saw: expect.stringMatching(/^Access denied.*\(1045\)$/) });
    expect(await probe("root", "nowhere")).toEqual({ is: "unknown", saw: "Unknown database 'nowhere' (1049)" });
    await expect(probe(`slip:${password}`, "?ssl-mode=VERIFY_IDENTITY")).rejects.toThrow(/self-signed certificate/);
  });

  it("that is gone has failed, and is well again when it is back", async () => {
    await mariadb.kill();
    await expect(probe(`slip:${password}`)).rejects.toThrow("connection refused");
    await mariadb.start();
    expect((await probe(`slip:${password}`)).is).toBe("pass");
  });
});
