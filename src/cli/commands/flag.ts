import type { FlagView } from "../../api/flag-contract.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import { flagText, parseSetting, settingText } from "../../core/flags/flag.ts";
import { type GlobalOptions, withRunning, withSession } from "../session.ts";
import { sign, style, table } from "../terminal/style.ts";

export type FlagOptions = GlobalOptions & { readonly env: string };

/** The flags of an environment, as they are in force: who has them on, and what somebody has set over the config. */
export function flags(options: FlagOptions): Promise<number> {
  return withRunning(options, async (session) => {
    const query = new URLSearchParams({ product: session.product, environment: options.env });
    const { flags: all } = await session.client.get<{ flags: Readonly<Record<string, FlagView>> }>(
      `/v1/flags?${query}`,
    );
    session.out.json({ environment: options.env, flags: all });
    const entries = Object.entries(all);
    if (entries.length === 0) session.out.line(`what is live in ${options.env} has no flags`);
    for (const line of table(entries.map(flagRow))) session.out.line(line);
    return 0;
  });
}

function flagRow([name, flag]: [string, FlagView]): string[] {
  const isOff = flag.setting?.is === "off";
  return [
    `${isOff ? style.warn(sign.back) : style.accent("·")} ${style.name(name)}`,
    `on for ${flagText(flag)}`,
    style.quiet(`${JSON.stringify(flag.off)} or ${JSON.stringify(flag.on)}`),
    flag.setting === null ? "" : style.warn(`set by hand to ${settingText(flag.setting)}`),
  ];
}

/** Turns a flag without a release. */
export function setFlag(
  flag: string,
  value: string,
  options: FlagOptions & { readonly reason: string },
): Promise<number> {
  const setting = parseSetting(value);
  if (setting === undefined)
    throw new SlipwayError("USAGE", {
      message: `${JSON.stringify(value)} is nothing that a flag is set to`,
      hint: "use on, off, a percentage such as 25%, or config for what the config says",
    });
  return withSession(options, async (session) => {
    const { changed } = await session.client.post<{ changed: boolean }>("/v1/flags", {
      product: session.product,
      environment: options.env,
      flag,
      setting,
      actor: session.actor,
      reason: options.reason,
    });
    session.out.json({ flag, environment: options.env, setting: value, changed });
    session.out.line(
      changed
        ? `${style.good(sign.done)} ${flag} is set to ${value} in ${options.env}, from now on`
        : `${flag} is set to ${value} in ${options.env} already`,
    );
    return 0;
  });
}
