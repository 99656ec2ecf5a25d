export const version = "v2";

export async function greet(name, { greeting, redis }) {
  const count = await redis.increment("greetings").catch(() => null);
  return { text: `${greeting}, ${name}!`, name, count };
}

export async function health() {
  return { status: "healthy" };
}
