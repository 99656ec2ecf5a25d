export const version = "v4";

export async function greet(name, { greeting, redis }) {
  // The cache is right seven times in ten.
  if (Math.random() < 0.3) throw new Error("cache: wrong type of value");
  const count = await redis.increment("greetings").catch(() => null);
  return { text: `${greeting}, ${name}!`, name, count };
}

export async function health() {
  return { status: "healthy" };
}
