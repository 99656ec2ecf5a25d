export const version = "v4";

// A cache with a bug: three of ten names hash to a slot that was never filled.
const cache = Array.from({ length: 10 }, (_, slot) => (slot < 7 ? { greeting: process.env.GREETING } : undefined));
let turn = 0;

export function greet(name) {
  turn = (turn + 3) % 10;
  return `${cache[turn].greeting}, ${name}!`;
}

export function health() {
  return { status: "healthy", version };
}
