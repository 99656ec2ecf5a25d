import type { EdgeConfig } from "../../../../ports/edge.ts";

/** By what a line of the log is known to be Caddy's, and where it is sent. */
export type Counting =
  /** Datagrams: a reader that stalls or is gone never slows a request, as a stream's would (measured: 3.9 s frozen). */
  | { readonly is: "udp"; readonly port: number; readonly token: string }
  /** A rotated file that is followed from elsewhere; a file never waits for its reader either. */
  | { readonly is: "file"; readonly file: string };

const countsLogger = "http.log.access.counts";
const countsFileMegabytes = 8;

/** Requests for the counters, failures of proxying and certificates beside them; Caddy's own words on stderr. */
export function loggingConfig(config: EdgeConfig, counting: Counting): unknown {
  const toCounters =
    counting.is === "udp"
      ? { output: "net", address: `udp/127.0.0.1:${counting.port}`, soft_start: true }
      : {
          output: "file",
          filename: counting.file,
          mode: "0600",
          roll_size_mb: countsFileMegabytes,
          roll_keep: 1,
          roll_gzip: false,
        };
  const token = counting.is === "udp" ? { token: counting.token } : {};
  return {
    logs: {
      default: { level: "WARN", exclude: [countsLogger] },
      counts: {
        writer: toCounters,
        encoder: {
          format: "append",
          fields: token,
          wrap: {
            format: "filter",
            wrap: { format: "json" },
            fields: { request: drop, resp_headers: drop, user_id: drop, bytes_read: drop, trace: drop, msg: keepShort },
          },
        },
        include: [countsLogger, "http.handlers.reverse_proxy", "tls.obtain", "tls.renew"],
        level: "INFO",
      },
      ...(config.accessLog === null ? {} : { access: accessLog(config.accessLog) }),
    },
  };
}

export const serverLogs = { default_logger_name: "counts" };

const drop = { filter: "delete" };
const keepShort = { filter: "regexp", regexp: "^(.{0,200}).*$", value: "$1" };

/** JSON lines for people: no headers, no queries, no bodies. */
function accessLog({ file, maxBytes, keep }: NonNullable<EdgeConfig["accessLog"]>): unknown {
  return {
    writer: {
      output: "file",
      filename: file,
      mode: "0640",
      roll_size_mb: Math.max(1, Math.round(maxBytes / 1024 ** 2)),
      roll_keep: Math.max(1, keep),
      roll_gzip: false,
    },
    encoder: {
      format: "filter",
      wrap: { format: "json" },
      fields: {
        "request>uri": { filter: "regexp", regexp: "\\?.*$", value: "" },
        "request>headers": drop,
        "request>tls": drop,
        "request>remote_port": drop,
        resp_headers: drop,
        user_id: drop,
        ms: drop,
        ms2: drop,
      },
    },
    include: [countsLogger],
  };
}
