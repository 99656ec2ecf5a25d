// What a deployment of containers is held against: a script as one writes it in an afternoon. A proxy with a table in its memory;
// on command it creates and starts a container by the Engine API, polls it at its own address every 10 ms, and swaps the table.
// Its containers are in a network of the product, as docker compose has it and whatever needs a database by its name; or, said with
// `bridge`, in the one that every engine brings, where nothing has a name and a start costs less.
import { Agent, createServer, request } from "node:http";

const pollMs = 10;
const [socket] = process.argv.slice(2);
const engine = new Agent({ keepAlive: true });
const backends = new Agent({ keepAlive: true });
const table = { web: null };
const network = "script";
let made = 0;

const proxy = createServer((incoming, answer) => {
  if (table.web === null) return answer.writeHead(503).end();
  const { url, method, headers } = incoming;
  const passed = request(
    { host: table.web.address, port: 3000, path: url, method, headers, agent: backends },
    (response) => {
      answer.writeHead(response.statusCode, response.headers);
      response.pipe(answer);
    },
  );
  passed.on("error", () => answer.destroy());
  incoming.pipe(passed);
});

process.on("message", async ({ deploy, within = network, startAgain, several }) => {
  if (deploy !== undefined) {
    const old = table.web;
    table.web = await run(deploy, within);
    process.send({ done: true });
    if (old !== null) await remove(old);
  } else if (startAgain !== undefined) {
    const { id } = table.web;
    await call("POST", `/containers/${id}/stop?t=5`);
    const begun = performance.now();
    await call("POST", `/containers/${id}/start`);
    await untilUp(await addressOf(id));
    process.send({ ms: performance.now() - begun });
  } else {
    const begun = performance.now();
    const all = await Promise.all(Array.from({ length: several.count }, () => run(several.image, network)));
    const ms = performance.now() - begun;
    await Promise.all(all.map(remove));
    process.send({ ms });
  }
});
process.on("disconnect", () => process.exit(0));

async function run(image, within) {
  made += 1;
  const body = { Image: image, Env: ["PORT=3000", "HOST=0.0.0.0"], HostConfig: { NetworkMode: within } };
  const { Id: id } = await call("POST", `/containers/create?name=script-${process.pid}-${made}`, body);
  await call("POST", `/containers/${id}/start`);
  const address = await addressOf(id);
  await untilUp(address);
  return { id, address };
}

async function addressOf(id) {
  const [endpoint] = Object.values((await call("GET", `/containers/${id}/json`)).NetworkSettings.Networks);
  return endpoint.IPAddress;
}

const remove = ({ id }) => call("DELETE", `/containers/${id}?force=1`);

async function untilUp(address) {
  while (!(await isUp(address))) await new Promise((resolve) => setTimeout(resolve, pollMs));
}

function isUp(host) {
  return new Promise((resolve) => {
    const asked = request({ host, port: 3000, path: "/up", agent: false, timeout: 1_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    asked.on("timeout", () => asked.destroy());
    asked.on("error", () => resolve(false));
    asked.end();
  });
}

/** One call of the Engine API. */
function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json" };
    const asked = request({ socketPath: socket, method, path, headers, agent: engine }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => {
        if (response.statusCode >= 400) reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`));
        else resolve(text === "" ? null : JSON.parse(text));
      });
    });
    asked.on("error", reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

await call("POST", "/networks/create", { Name: network, CheckDuplicate: true }).catch((error) => {
  // The script before made it.
  if (!error.message.includes("already exists")) throw error;
});
proxy.listen(0, "127.0.0.1", () => process.send({ port: proxy.address().port }));
