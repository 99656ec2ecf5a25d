import { z } from "zod";
import type { JobContainer } from "../ports/executor.ts";
import { name, person, reason } from "./contract.ts";

/** The part of the contract that is about agents. */
const labels = z.array(name).min(1).max(50);
export const tokenBody = z.strictObject({
  product: name,
  agent: name,
  labels,
  days: z.number().int().min(1).max(3_650),
});
export const revokeBody = z.strictObject({ product: name, agent: name, actor: person, reason: reason.min(1) });
/** Agents of the program before say nothing of an engine, and of the paths of a Compose file. */
export const leaseBody = z.strictObject({
  labels,
  engine: z.boolean().default(false),
  compose: z.boolean().default(false),
});
export const logQuery = z.object({ offset: z.coerce.number().int().min(0) });

/** On every answer of the outer listener: what comes without it comes from something in between. */
export const ourMark = { header: "x-slipway", value: "control-plane" } as const;

/** An agent that has asked for work since the control plane started, or whose tokens were taken back. */
export type AgentView = {
  readonly agent: string;
  readonly labels: readonly string[];
  /** Whether it runs steps with an image. */
  readonly engine: boolean;
  /** Null: not since the control plane started. */
  readonly lastSeenAt: number | null;
  readonly running: readonly Readonly<Record<string, string>>[];
  /** Null: it has come with a token that was made later, or none was taken back. */
  readonly revoked: { readonly at: number; readonly by: string; readonly reason: string } | null;
};

const text = z.string().max(2_000);
export const jobEnd = z.discriminatedUnion("is", [
  z.strictObject({ is: z.literal("exited"), code: z.number().int() }),
  z.strictObject({ is: z.literal("killed"), by: text }),
  z.strictObject({ is: z.literal("timed-out"), afterMs: z.number() }),
  z.strictObject({ is: z.literal("too-large"), what: z.enum(["output", "workspace"]), maxBytes: z.number() }),
  z.strictObject({ is: z.literal("not-started"), why: text }),
  z.strictObject({ is: z.literal("lost"), why: text.default("its agent lost sight of it") }),
]);

/** A step that an agent has in hand. */
export type LeaseView = {
  readonly id: string;
  /** Relative to the top of the checkout. */
  readonly directory: string;
  /** What goes back, relative to the directory. */
  readonly patterns: readonly string[];
  readonly diskBytes: number;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly outputBytes: number;
  /** Null: a process of the agent's machine. Its engine is the agent's, and what it mounts and builds is relative to the top of the checkout. */
  readonly container: Omit<JobContainer, "engine" | "mount"> | null;
};
