import { Wire } from "../../../lib/wire/wire.ts";
import type { Gauge } from "../../../ports/gauge.ts";

/** Passes when a connection is accepted. */
export function tcpProbe({ host, port }: { readonly host: string; readonly port: number }): Gauge {
  return {
    read: async (signal) => {
      const wire = await Wire.open({ host, port, signal });
      wire.close();
      return { is: "pass", saw: "it accepts connections" };
    },
  };
}
