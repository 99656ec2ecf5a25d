import { nearest } from "../guess.ts";
import type { ProductInput } from "../input.ts";
import { error, type Finding } from "./finding.ts";

/** Gates that name teams which are not there, or ask for more people than there are. */
export function checkGates({ environments = {}, teams = {} }: ProductInput): readonly Finding[] {
  return Object.entries(environments).flatMap(([environment, { gates }]) => {
    const approval = gates?.approval;
    if (approval === undefined) return [];
    const at = ["environments", environment, "gates", "approval"];
    const named = approval.teams ?? [];
    const unknown = named.flatMap((team, index) => {
      if (Object.hasOwn(teams, team)) return [];
      const guess = nearest(team, Object.keys(teams));
      const known = Object.keys(teams).join(", ") || "none";
      const advice = guess === null ? `the teams are ${known}; describe it in teams` : `did you mean "${guess}"?`;
      const more = { because: [["teams", team]], ...(guess === null ? {} : { guess }) };
      return [error([...at, "teams", index], `there is no team "${team}"; ${advice}`, more)];
    });
    if (unknown.length > 0) return unknown;
    const people = new Set([...named.flatMap((team) => teams[team] ?? []), ...(approval.people ?? [])]);
    const count = approval.count ?? 1;
    if (people.size === 0 || people.size >= count) return [];
    const has = people.size === 1 ? "there is 1 who may" : `there are ${people.size} who may`;
    return [error([...at, "count"], `${count} people must approve, and ${has}`, { because: [["teams"]] })];
  });
}
