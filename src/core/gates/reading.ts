import type { EpochMs } from "../ids.ts";

export type GateName =
  | "approval"
  | "window"
  | "freeze"
  | "wait"
  | "baked"
  | "load test"
  | "promotion"
  | "lock"
  | "turn"
  | "condition"
  | "checks"
  | "budget";

/** One gate, as it stands at one instant. */
export type GateReading = {
  readonly gate: GateName;
  readonly open: boolean;
  /** What it rests on, or what it waits for. */
  readonly says: string;
  /** When it opens by itself; null when it is open, or when something has to happen for it. */
  readonly opensAt: EpochMs | null;
};
