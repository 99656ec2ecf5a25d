export const version = "v3";

export async function greet(name, { greeting, redis }) {
  const count = await redis.increment("greetings");
  return { text: `${greeting}, ${name}! You are number ${count}.`, name, count };
}

// The schema it wants is not there, and will not come.
export async function health() {
  console.error("column greetings.language does not exist");
  return { status: "migrating", wants: "greetings.language" };
}
