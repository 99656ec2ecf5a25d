import { mostFlags } from "../../flags/document.ts";
import { error, type Finding, type Place, warning } from "./finding.ts";

/** Both values of a flag are of one type, and somebody answers who asks for them. */
export function checkFlags({ spec, where }: Place): readonly Finding[] {
  const flags = Object.entries(spec.flags ?? {});
  const mixed = flags.flatMap(([name, { off, on }]) =>
    typeof off === typeof on
      ? []
      : [error(where(["flags", name]), `off is a ${typeof off} and on a ${typeof on}; both must be of one type`)],
  );
  if (flags.length > mostFlags)
    return [error(where(["flags"]), `there are ${flags.length} flags; at most ${mostFlags} are allowed`)];
  if (flags.length > 0 && spec.flagServer === undefined)
    return [...mixed, warning(where(["flags"]), "nobody can ask for them: set flagServer.listen")];
  return mixed;
}
