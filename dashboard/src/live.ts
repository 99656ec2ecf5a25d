import { useEffect, useState } from "react";
import type { WireError } from "../../src/core/errors/error.ts";
import { follow, isNoSession, wireOf } from "./api.ts";
import { sessionOver } from "./session-over.ts";

export type Live<T> = {
  readonly value: T | null;
  /** What keeps it from being told now; the value is what was told last. */
  readonly trouble: WireError | null;
  readonly isOver: boolean;
};

const againMs = 2_000;

/**
 * What a stream says, as it says it. Only while somebody can see the page: a browser has six connections for one address, for all of its
 * tabs. A stream that is cut is asked for again.
 */
export function useLive<T>(path: string): Live<T> {
  const [live, setLive] = useState<Live<T> & { readonly path: string }>({ ...nothing, path });
  const isSeen = useIsSeen();
  useEffect(() => {
    if (!isSeen) return;
    const stop = new AbortController();
    const tell = async (): Promise<void> => {
      while (!stop.signal.aborted) {
        try {
          for await (const value of follow<T>(path, stop.signal))
            setLive({ value, trouble: null, isOver: false, path });
          setLive((before) => ({ ...before, isOver: true }));
          return;
        } catch (error) {
          if (stop.signal.aborted) return;
          if (isNoSession(error)) return sessionOver();
          const trouble = wireOf(error);
          setLive((before) => ({ ...(before.path === path ? before : nothing), trouble, path }));
          if (trouble.code !== "CONTROL_PLANE_DOWN") return;
          await new Promise((resolve) => setTimeout(resolve, againMs));
        }
      }
    };
    void tell();
    return () => stop.abort();
  }, [path, isSeen]);
  return live.path === path ? live : (nothing as Live<T>);
}

const nothing = { value: null, trouble: null, isOver: false } as const;

/** Whether somebody can see the page: else it holds no connection. */
export function useIsSeen(): boolean {
  const [isSeen, setSeen] = useState(!document.hidden);
  useEffect(() => {
    const look = (): void => setSeen(!document.hidden);
    document.addEventListener("visibilitychange", look);
    return () => document.removeEventListener("visibilitychange", look);
  }, []);
  return isSeen;
}
