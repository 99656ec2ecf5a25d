export const version = "v5";

export function greet(name) {
  return `${process.env.GREETING}, ${name}.`;
}

export function health() {
  return { status: "healthy", version };
}

// Reads a setting that does not exist, five seconds after start, outside of every request.
setTimeout(() => {
  process.env.REFRESH_INTERVAL.split(":");
}, 5_000);
