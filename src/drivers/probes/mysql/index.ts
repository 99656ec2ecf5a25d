import { Wire } from "../../../lib/wire/wire.ts";
import type { Gauge, Outcome } from "../../../ports/gauge.ts";
import { askForTls, logIn } from "./login.ts";
import { greetingOf, MysqlError, Packets } from "./packets.ts";

const comPing = 0x0e;

/**
 * Logs in to a MySQL or MariaDB and pings it, on a connection of its own. `ssl-mode` of the URL: `DISABLED`, `PREFERRED` (the default),
 * `REQUIRED` (any certificate), `VERIFY_CA` and `VERIFY_IDENTITY` (believed, and for the host's name).
 */
export function mysqlProbe({ url }: { readonly url: URL }): Gauge {
  return {
    read: async (signal) => {
      const host = url.hostname.replace(/^\[|\]$/g, "") || "127.0.0.1";
      const wire = await Wire.open({ host, port: Number(url.port || 3306), signal });
      try {
        return await ping(wire, url, host);
      } catch (error) {
        if (error instanceof MysqlError) return refused(error);
        throw error;
      } finally {
        wire.close();
      }
    },
  };
}

async function ping(wire: Wire, url: URL, servername: string): Promise<Outcome> {
  const packets = new Packets(wire);
  const first = await packets.read();
  if (first[0] === 0xff) throw new MysqlError(first);
  const greeting = greetingOf(first);
  const who = {
    user: decodeURIComponent(url.username) || "root",
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.replace(/^\//, "")),
  };
  const mode = (url.searchParams.get("ssl-mode") ?? "PREFERRED").toUpperCase();
  const secure = mode !== "DISABLED" && askForTls(packets, greeting, who);
  if (secure) await wire.secure({ servername, verify: mode.startsWith("VERIFY") });
  else if (mode !== "DISABLED" && mode !== "PREFERRED") throw new Error("it does not speak TLS");
  await logIn(packets, greeting, who, secure);
  packets.command(Buffer.from([comPing]));
  const answer = await packets.read();
  if (answer[0] === 0xff) throw new MysqlError(answer);
  return { is: "pass", saw: `${greeting.version} answers` };
}

/** That we may not log in says nothing about how it is: no access to it, to the database, or by that login. */
function refused({ code, message }: MysqlError): Outcome {
  const ours = [1044, 1045, 1049, 1698, 1251].includes(code);
  return { is: ours ? "unknown" : "fail", saw: `${message} (${code})` };
}
