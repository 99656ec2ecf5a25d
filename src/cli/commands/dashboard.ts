import type { DashboardLinkView } from "../../api/dashboard-contract.ts";
import { formatDuration } from "../../core/product/units.ts";
import { type GlobalOptions, withSession } from "../session.ts";
import { readRunning } from "../state-directory.ts";
import { sign, style } from "../terminal/style.ts";

export type DashboardOptions = GlobalOptions & { readonly end?: boolean };

/**
 * Prints a link that opens one session in a browser, as the person at this terminal. It is printed and not opened: what is opened is in
 * the list of processes, which others on this machine can read.
 */
export function dashboard(options: DashboardOptions): Promise<number> {
  return withSession(options, async ({ client, out, actor, at }) => {
    if (options.end === true) {
      const { ended } = await client.post<{ ended: number }>("/v1/dashboard/end", {});
      const which = ended === 1 ? "one session" : `${ended} sessions`;
      out.line(`${style.good(sign.done)} ${which} of browsers ended, and every link that was not used`);
      out.json({ ended });
      return 0;
    }
    const { path, until } = await client.post<DashboardLinkView>("/v1/dashboard/links", { actor });
    const url = `http://127.0.0.1:${readRunning(at)?.port}${path}`;
    const forMs = Math.max(0, Math.round((until - Date.now()) / 1_000) * 1_000);
    out.line(url);
    out.line(style.quiet(`opens the dashboard once, as ${actor}, within ${formatDuration(forMs)}`));
    out.json({ url, until, person: actor });
    return 0;
  });
}
