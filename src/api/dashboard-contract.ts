import { z } from "zod";
import type { EpochMs } from "../core/ids.ts";
import { person } from "./contract.ts";

/** Of a session's two halves the one that its page sends; the other is a cookie. */
export const pageHalfHeader = "slipway-session";

/** For whom a link is made. */
export const dashboardLinkBody = z.strictObject({ actor: person });
export const openDashboardBody = z.strictObject({ code: z.string().min(1).max(200) });

/** Below the control plane's own address. What is after the `#` never leaves the browser but in one POST. */
export type DashboardLinkView = { readonly path: string; readonly until: EpochMs };

export type DashboardSessionView = {
  readonly person: string;
  readonly until: EpochMs;
  readonly product: string;
  readonly version: string;
};
/** The half that the page keeps is told once. */
export type DashboardOpenedView = DashboardSessionView & { readonly half: string };
