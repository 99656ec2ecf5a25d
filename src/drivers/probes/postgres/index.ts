import { createHash } from "node:crypto";
import { Wire } from "../../../lib/wire/wire.ts";
import type { Gauge, Outcome } from "../../../ports/gauge.ts";
import { int32, message, PostgresError, readMessage, sized } from "./messages.ts";
import { type SaltedKeys, Scram } from "./scram.ts";

const protocol = 196_608;
const sslRequest = 80_877_103;

/**
 * Logs in and asks `SELECT 1`, on a connection of its own. `sslmode` of the URL means what it does in libpq: `disable`, `prefer` (the
 * default), `require` (any certificate), `verify-ca` and `verify-full` (believed, and for the host's name).
 */
export function postgresProbe({ url }: { readonly url: URL }): Gauge {
  const kept: SaltedKeys = new Map();
  return {
    read: async (signal) => {
      const host = url.searchParams.get("host") ?? (url.hostname.replace(/^\[|\]$/g, "") || "127.0.0.1");
      const wire = await Wire.open({ host, port: Number(url.port || 5432), signal });
      try {
        await agreeOnTls(wire, host, url.searchParams.get("sslmode") ?? "prefer");
        await logIn(wire, url, kept);
        return await ask(wire);
      } catch (error) {
        if (error instanceof PostgresError) return refused(error);
        throw error;
      } finally {
        wire.close();
      }
    },
  };
}

async function agreeOnTls(wire: Wire, servername: string, mode: string): Promise<void> {
  if (mode === "disable" || mode === "allow") return;
  wire.write(sized(int32(sslRequest)));
  const answer = (await wire.read(1)).toString("latin1");
  if (answer === "S") return wire.secure({ servername, verify: mode === "verify-ca" || mode === "verify-full" });
  if (answer !== "N") throw new Error("it does not speak as a PostgreSQL");
  if (mode !== "prefer") throw new Error("it does not speak TLS");
}

async function logIn(wire: Wire, url: URL, kept: SaltedKeys): Promise<void> {
  const user = decodeURIComponent(url.username) || "postgres";
  const password = decodeURIComponent(url.password);
  const database = decodeURIComponent(url.pathname.replace(/^\//, "")) || user;
  const settings = ["user", user, "database", database, "application_name", "slipway"];
  wire.write(sized(int32(protocol), `${settings.join("\0")}\0\0`));
  let scram: Scram | null = null;
  for (;;) {
    const { type, body } = await readMessage(wire);
    if (type === "E") throw new PostgresError(body);
    if (type === "Z") return;
    if (type !== "R") continue;
    switch (body.readInt32BE(0)) {
      case 0:
        break;
      case 3:
        wire.write(message("p", `${password}\0`));
        break;
      case 5:
        wire.write(message("p", `md5${md5(md5(password + user), body.subarray(4, 8))}\0`));
        break;
      case 10: {
        if (!body.subarray(4).toString("latin1").split("\0").includes("SCRAM-SHA-256"))
          throw new Error("it only knows logins that are not known here");
        scram = new Scram(password, kept);
        wire.write(message("p", "SCRAM-SHA-256\0", int32(scram.first.length), scram.first));
        break;
      }
      case 11:
        if (scram === null) throw new Error("it does not speak as a PostgreSQL");
        wire.write(message("p", await scram.final(body.subarray(4).toString("utf8"))));
        break;
      case 12:
        if (scram === null) throw new Error("it does not speak as a PostgreSQL");
        scram.check(body.subarray(4).toString("utf8"));
        break;
      default:
        throw new Error("it wants a login that is not known here");
    }
  }
}

async function ask(wire: Wire): Promise<Outcome> {
  wire.write(message("Q", "SELECT 1\0"));
  let rows = 0;
  for (;;) {
    const { type, body } = await readMessage(wire);
    if (type === "E") throw new PostgresError(body);
    if (type === "D") rows += 1;
    if (type !== "Z") continue;
    wire.write(message("X"));
    return rows === 1 ? { is: "pass", saw: "SELECT 1 -> 1" } : { is: "fail", saw: `SELECT 1 gave ${rows} rows` };
  }
}

/** That we may not log in says nothing about how it is; SQLSTATE class 28 is about who asks, and 3D000 about what for. */
function refused({ code, message }: PostgresError): Outcome {
  const ours = code.startsWith("28") || code === "3D000" || code === "42501";
  return { is: ours ? "unknown" : "fail", saw: `${message} (${code})` };
}

function md5(...parts: readonly (string | Buffer)[]): string {
  const hash = createHash("md5");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}
