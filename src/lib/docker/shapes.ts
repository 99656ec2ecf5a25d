import { z } from "zod";

/** Go writes empty lists and maps as null, or leaves them out. */
export const list = <T extends z.ZodType>(item: T) =>
  z
    .array(item)
    .nullish()
    .transform((value) => value ?? []);
export const map = <T extends z.ZodType>(item: T) =>
  z
    .record(z.string(), item)
    .nullish()
    .transform((value): Record<string, z.output<T>> => value ?? {});
export const text = z
  .string()
  .nullish()
  .transform((value) => value ?? "");
export const count = z
  .number()
  .nullish()
  .transform((value) => value ?? 0);

/** Go's time as epoch milliseconds; its zero time, year 1, is null. */
export const time = z
  .string()
  .nullish()
  .transform((value) => {
    const at = value === null || value === undefined ? Number.NaN : Date.parse(value);
    return Number.isNaN(at) || at <= 0 ? null : at;
  });
