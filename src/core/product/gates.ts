import { z } from "zod";
import { named, optional } from "./key.ts";
import { duration, flag, name, text, wholeNumber } from "./values.ts";

export const gatesDefaults = { count: 1, expires: "7d" } as const;

const people = () => z.array(text()).min(1).max(200);

export const teamsSchema = z.record(name("team"), people());

export const teamsDoc = {
  meaning:
    "Groups of people, by name, for gates. A person is who the history names: ada is ada at every machine, ada@laptop only there.",
  default: {},
  example: { ops: ["ada", "grace@example.com"] },
  allowed: 'names and people, such as { ops: ["ada", "grace"] }',
} as const;

const approvalShape = {
  teams: optional(z.array(name("team")).min(1).max(20), {
    meaning: "Whose members may approve. With neither teams nor people it is anybody.",
    default: "(anybody may approve)",
    example: ["ops"],
    allowed: 'a list of teams, such as ["ops"]',
  }),
  people: optional(people(), {
    meaning: "Who may approve, besides the members of teams.",
    default: "(nobody besides the teams)",
    example: ["ada"],
    allowed: 'a list of people, such as ["ada", "grace@example.com"]',
  }),
  count: optional(wholeNumber({ min: 1, max: 20 }), {
    meaning: "How many people must approve.",
    default: gatesDefaults.count,
    example: 2,
  }),
  authorMayApprove: optional(flag(), {
    meaning:
      "Whether it counts when those approve who wrote the commits, made the release or asked for the deployment.",
    default: false,
    example: true,
  }),
  expires: optional(duration({ min: "1s", max: "90d" }), {
    meaning: "How long a deployment waits to be approved. Then it is called off.",
    default: gatesDefaults.expires,
    example: "12h",
  }),
};

const gatesShape = {
  approval: optional(named("ApprovalInput", "Whose word a deployment needs.", z.strictObject(approvalShape)), {
    meaning: "People who must approve before a deployment begins. A rollback needs nobody's word.",
    default: "(nobody has to)",
    example: { teams: ["ops"], count: 2 },
    allowed: 'an object such as { teams: ["ops"], count: 2 }',
  }),
};

export const gatesSchema = named(
  "GatesInput",
  "What must be open before a deployment begins.",
  z.strictObject(gatesShape),
);

export const gatesDoc = {
  meaning:
    "What must be open before a deployment begins here. What is live holds with its own gates too, so a release that has fewer must still pass those. A rollback passes all.",
  default: "(nothing: a deployment begins at once)",
  example: { approval: { teams: ["ops"] } },
  allowed: 'an object such as { approval: { teams: ["ops"] } }',
} as const;
