import { createContext, type ReactNode, useContext } from "react";
import type { DeploymentView, StatusView } from "../../src/api/contract.ts";
import { type Live, useLive } from "./live.ts";

const Status = createContext<Live<StatusView> | null>(null);

/** One stream for all that is shown: what is live where, and what is under way. */
export function StatusStream({ children }: { readonly children: ReactNode }) {
  return <Status value={useLive<StatusView>("/v1/status/follow")}>{children}</Status>;
}

export function useStatus(): Live<StatusView> {
  const status = useContext(Status);
  if (status === null) throw new Error("there is no status here");
  return status;
}

/** Those that wait at gates, before they begin or at a step of their canary: the longest first. */
export function waitingIn(status: StatusView | null): readonly DeploymentView[] {
  return (status?.environments ?? [])
    .flatMap(({ gated, deployment }) => [...gated, ...(deployment?.gates == null ? [] : [deployment])])
    .toSorted((a, b) => a.createdAt - b.createdAt);
}
