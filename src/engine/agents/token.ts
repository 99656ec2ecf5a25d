import { SlipwayError } from "../../core/errors/error.ts";
import type { EpochMs } from "../../core/ids.ts";
import { readSigned, signText } from "../../lib/sign/signed-text.ts";
import type { World } from "../world.ts";
import { revocationOf } from "./revocations.ts";

const purpose = "slipway agent v1";

/** Who an agent is, and which steps it may have: in the text that it holds. Nothing of it is kept. */
export type AgentPass = {
  readonly product: string;
  readonly agent: string;
  readonly labels: readonly string[];
  readonly until: EpochMs;
  /** How often the agent's tokens had been taken back when this one was made. */
  readonly generation: number;
};

/** A text that only this control plane can have made. It opens the work of agents, and nothing else. */
export async function makeAgentToken(
  world: Pick<World, "vault" | "store">,
  pass: Omit<AgentPass, "generation">,
): Promise<string> {
  const generation = (await revocationOf(world, pass))?.generation ?? 0;
  return signText({ ...pass, generation } satisfies AgentPass, purpose, (text) => world.vault.sign(text));
}

/** What the text says that somebody shows, where we have made it; whether it still holds is another question. */
export function readAgentToken(
  { vault }: Pick<World, "vault">,
  product: string,
  authorization: string | undefined,
): AgentPass | null {
  const text = /^Bearer (\S{1,8192})$/.exec(authorization ?? "")?.[1] ?? "";
  const pass = readSigned(text, purpose, (each) => vault.sign(each)) as AgentPass | null;
  if (pass === null || pass.product !== product) return null;
  // Those of the program before have none.
  return { ...pass, generation: pass.generation ?? 0 };
}

/** Errors: UNAUTHORIZED. */
export async function agentPassOf(
  world: Pick<World, "vault" | "clock" | "store">,
  product: string,
  authorization: string | undefined,
): Promise<AgentPass> {
  const pass = readAgentToken(world, product, authorization);
  if (pass === null || world.clock.now() >= pass.until)
    throw new SlipwayError("UNAUTHORIZED", {
      message: `the request carries ${pass === null ? "no token of an agent" : "a token that is over"}`,
      hint: "make one: slipway agent-token <name> --labels <label,...>",
    });
  const revoked = await revocationOf(world, pass);
  if (revoked !== null && pass.generation < revoked.generation) throw tokenRevoked();
  return pass;
}

export function tokenRevoked(): SlipwayError {
  return new SlipwayError("UNAUTHORIZED", {
    message: "the agent's token was revoked",
    hint: "see who did, and why: slipway agents; make another: slipway agent-token <name> --labels <label,...>",
  });
}
