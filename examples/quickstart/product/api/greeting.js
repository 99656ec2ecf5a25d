export const version = "v1";

export function greet() {
  return `${process.env.GREETING}!`;
}

export function health() {
  return { status: "healthy", version };
}
