import { connect } from "node:net";

export const version = "v3";

// Greetings now come from a database, and nobody has set one up.
let database = "connecting";
const socket = connect(Number(process.env.DATABASE_PORT ?? 1), "127.0.0.1");
socket.on("connect", () => {
  database = "connected";
});
socket.on("error", (error) => {
  database = "unreachable";
  console.error(`database: ${error.message}`);
});

export function greet(name) {
  return `${process.env.GREETING} from the database, ${name}!`;
}

export function health() {
  return { status: database === "connected" ? "healthy" : "starting", database, version };
}
