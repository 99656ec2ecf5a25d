export const version = "v2";

export function greet(name) {
  return `${process.env.GREETING}, ${name}!`;
}

export function health() {
  return { status: "healthy", version };
}
