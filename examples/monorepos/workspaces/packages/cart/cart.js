/** In cents, because a tenth is no binary number. */
export function total(items) {
  return items.reduce((sum, { cents, count = 1 }) => sum + cents * count, 0);
}

export function price(cents) {
  return `${Math.trunc(cents / 100)}.${String(cents % 100).padStart(2, "0")}`;
}
