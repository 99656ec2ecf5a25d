// Load: keep-alive connections over raw sockets, each with one request at a time (closed loop), or at a fixed rate over
// all of them (open loop). Answers are told apart by Content-Length only, so this process stays far cheaper than what it
// measures. Messages in: { port, connections, seconds, rate }; out: { answers, failures, seconds, latency percentiles }.
import { connect } from "node:net";

const request = Buffer.from(
  "GET /api/items/42?verbose=1 HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0)\r\n" +
    "Accept: application/json\r\nAccept-Language: en-GB,en;q=0.7\r\nAccept-Encoding: gzip, deflate, br\r\n" +
    "Cookie: theme=dark; session=6f1a9c0e\r\nConnection: keep-alive\r\n\r\n",
);
const headEnd = Buffer.from("\r\n\r\n");

process.on("message", async (job) => process.send(await run(job)));
process.on("disconnect", () => process.exit(0));

async function run({ port, connections, seconds, rate = 0 }) {
  const state = { answers: 0, failures: 0, running: true, waits: [] };
  const clients = await Promise.all(Array.from({ length: connections }, () => open(port, state, rate === 0)));
  const began = performance.now();
  if (rate === 0) for (const client of clients) client.ask(performance.now());
  else await openLoop(clients, rate, seconds, state);
  if (rate === 0) await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const took = (performance.now() - began) / 1000;
  state.running = false;
  const { answers, failures } = state;
  for (const client of clients) client.socket.destroy();
  state.waits.sort((a, b) => a - b);
  const at = (share) => state.waits[Math.min(state.waits.length - 1, Math.floor(state.waits.length * share))] ?? 0;
  return { answers, failures, seconds: took, p50: at(0.5), p99: at(0.99) };
}

async function openLoop(clients, rate, seconds, state) {
  const began = performance.now();
  let sent = 0;
  while (performance.now() - began < seconds * 1000) {
    const due = Math.floor(((performance.now() - began) / 1000) * rate);
    for (; sent < due; sent += 1) {
      const client = clients.find((one) => !one.busy);
      // All connections wait: the request counts from now on, in the next round.
      if (client === undefined) break;
      client.ask(performance.now());
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  state.running = false;
}

function open(port, state, again) {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    socket.setNoDelay(true);
    let buffered = null;
    let askedAt = 0;
    const client = {
      socket,
      busy: false,
      ask(now) {
        client.busy = true;
        askedAt = now;
        socket.write(request);
      },
    };
    socket.on("data", (chunk) => {
      buffered = buffered === null ? chunk : Buffer.concat([buffered, chunk]);
      const end = buffered.indexOf(headEnd);
      if (end === -1) return;
      const head = buffered.latin1Slice(0, end);
      const length = /content-length: (\d+)/i.exec(head);
      // Chunked answers end in an empty chunk.
      const whole =
        length === null ? buffered.includes("\r\n0\r\n\r\n", end) : buffered.length >= end + 4 + Number(length[1]);
      if (!whole) return;
      buffered = null;
      if (!state.running) return;
      if (head.startsWith("HTTP/1.1 200")) state.answers += 1;
      else state.failures += 1;
      const now = performance.now();
      state.waits.push(now - askedAt);
      client.busy = false;
      if (again) client.ask(now);
    });
    socket.once("connect", () => resolve(client));
    socket.on("error", (error) => {
      if (state.running) state.failures += 1;
      reject(error);
    });
    socket.on("close", () => {
      if (state.running) state.failures += 1;
    });
  });
}
