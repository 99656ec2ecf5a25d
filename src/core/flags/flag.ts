import { murmur32 } from "../hash.ts";
import { textMatcher } from "../pipeline/glob.ts";
import { formatPercent, parsePercent } from "../product/units.ts";

export type FlagValue = boolean | string | number;

/** Those who match are decided by its own share, whatever the flag's is. */
export type FlagRule = {
  /** Every attribute must have one of its texts; * stands for any text. */
  readonly when: Readonly<Record<string, readonly string[]>>;
  /** Of those who match, from 0 to 1. */
  readonly ratio: number;
};

/** A flag as the config has it: two values of one type, and who has which. */
export type FlagSpec = {
  readonly off: FlagValue;
  readonly on: FlagValue;
  /** Who has `on`, from 0 to 1. */
  readonly ratio: number;
  /** The first that matches decides. */
  readonly rules: readonly FlagRule[];
};

/** What somebody has set by hand, over the config: for everybody, or another share where no rule matches. */
export type FlagSetting = { readonly is: "on" | "off" } | { readonly is: "share"; readonly ratio: number };

/** A flag as it is in force. */
export type FlagInForce = FlagSpec & { readonly setting: FlagSetting | null };

/** `key` names who asks, the same every time; attributes are what is known of them. */
export type FlagAsker = { readonly key: string | null; readonly attributes: Readonly<Record<string, unknown>> };

export type FlagAnswer =
  | {
      readonly is: "value";
      readonly value: FlagValue;
      readonly variant: "on" | "off";
      /** As OpenFeature names them. */
      readonly reason: "DISABLED" | "STATIC" | "TARGETING_MATCH" | "SPLIT";
    }
  /** A share of people can only be told apart by their keys. */
  | { readonly is: "no-key" };

/** Which value somebody has. The same for the same flag and key, wherever it is asked. */
export function evaluateFlag(name: string, flag: FlagInForce, asker: FlagAsker): FlagAnswer {
  const { setting } = flag;
  if (setting !== null && setting.is !== "share")
    return answer(flag, setting.is, setting.is === "off" ? "DISABLED" : "STATIC");
  const rule = flag.rules.find(({ when }) => isMeant(when, asker));
  const ratio = rule?.ratio ?? (setting === null ? flag.ratio : setting.ratio);
  if (ratio <= 0 || ratio >= 1)
    return answer(flag, ratio >= 1 ? "on" : "off", rule === undefined ? "STATIC" : "TARGETING_MATCH");
  if (asker.key === null) return { is: "no-key" };
  return answer(
    flag,
    shareOf(name, asker.key) < ratio ? "on" : "off",
    rule === undefined ? "SPLIT" : "TARGETING_MATCH",
  );
}

/**
 * Where somebody stands for a flag, from 0 to less than 1: on, when the flag's share is above it. So a share that grows takes nobody
 * out, and each flag draws anew.
 */
export function shareOf(name: string, key: string): number {
  return murmur32(`${name}\n${key}`) / 2 ** 32;
}

function answer(
  flag: FlagSpec,
  variant: "on" | "off",
  reason: "DISABLED" | "STATIC" | "TARGETING_MATCH" | "SPLIT",
): FlagAnswer {
  return { is: "value", value: flag[variant], variant, reason };
}

function isMeant(when: FlagRule["when"], { key, attributes }: FlagAsker): boolean {
  return Object.entries(when).every(([name, texts]) => {
    const seen = name === "key" ? key : Object.hasOwn(attributes, name) ? attributes[name] : null;
    const isPlain = typeof seen === "string" || typeof seen === "number" || typeof seen === "boolean";
    return isPlain && textMatcher(texts)(String(seen));
  });
}

/** `on`, `off`, `25%`; `config` takes a setting away (null). Undefined: none of these. */
export function parseSetting(text: string): FlagSetting | null | undefined {
  if (text === "on" || text === "off") return { is: text };
  if (text === "config") return null;
  const ratio = parsePercent(text);
  return ratio === null ? undefined : { is: "share", ratio };
}

export function settingText(setting: FlagSetting | null): string {
  if (setting === null) return "config";
  return setting.is === "share" ? formatPercent(setting.ratio) : setting.is;
}

/** `25%, 2 rules`: who has `on`, in a few words. */
export function flagText({ setting, ratio, rules }: FlagInForce): string {
  if (setting !== null && setting.is !== "share") return setting.is;
  const share = formatPercent(setting === null ? ratio : setting.ratio);
  return rules.length === 0 ? share : `${share}, and ${rules.length} ${rules.length === 1 ? "rule" : "rules"}`;
}
