export const version = "v6";

const languages = [process.env.GREETING, "Bonjour", "Guten Tag"];
let turn = 0;

export function greet(name) {
  turn = (turn + 1) % languages.length;
  return `${languages[turn]}, ${name}!`;
}

export function health() {
  return { status: "healthy", version };
}
