export const version = "v6";

const languages = ["Hello", "Bonjour", "Guten Tag"];
let turn = 0;

export function greet(name) {
  turn = (turn + 1) % languages.length;
  return `${languages[turn]}, ${name}!`;
}

export function health() {
  return { status: "healthy", version };
}
