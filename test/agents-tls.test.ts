import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request as forward } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type CertificateFiles, makeAuthority, type TestAuthority } from "../src/testing/conformance/edge/authority.ts";
import { freePorts } from "../src/testing/ports.ts";
import { Agents } from "./fixture/agent.ts";
import { type Plane, startPlane, tearDown } from "./fixture/plane.ts";
import { beginRun, hasEnded, logOf, makeRepository, type Repository, runWhen, stepOf } from "./fixture/repository.ts";

let repository: Repository;
let plane: Plane;
let authority: TestAuthority;
let tokenFile = "";
let port = 0;
const room = mkdtempSync(join(tmpdir(), "slipway-agents-tls-"));
const agents = new Agents(room, () => port);
const fronts: Server[] = [];

beforeAll(async () => {
  [port = 0] = await freePorts(1);
  authority = await makeAuthority("Acme Own CA");
  repository = await makeRepository();
  plane = await startPlane(repository);
  repository.write(
    {
      steps: {
        make: { shell: "echo made-here > made.txt", outputs: ["made.txt"] },
        far: {
          shell: "cat made.txt > out.txt; echo extra is [${NODE_EXTRA_CA_CERTS-}]",
          needs: ["make"],
          outputs: ["out.txt"],
          runsOn: ["linux"],
        },
        back: { shell: "cat out.txt", needs: ["far"] },
      },
    },
    {},
    { triggers: { repository: "acme/probe", webhook: { forge: "github", listen: `127.0.0.1:${port}` } } },
  );
  await plane.client.post("/v1/triggers", { product: "probe", repository: repository.directory, actor: "test" });
  tokenFile = await agents.tokenOf(plane, "one");
});
afterEach(async () => {
  await agents.stopAll();
  for (const front of fronts.splice(0)) {
    front.closeAllConnections();
    front.close();
  }
});
afterAll(async () => {
  await tearDown(repository, plane);
  await authority.dispose();
  rmSync(room, { recursive: true, force: true });
});

/** A proxy with TLS in front of the control plane's outer listener. */
async function frontWith(files: CertificateFiles): Promise<{ readonly front: Server; readonly port: number }> {
  const front = createServer(read(files), (request, response) => {
    const on = forward(
      { port, host: "127.0.0.1", method: request.method, path: request.url, headers: request.headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    on.on("error", () => response.destroy());
    request.pipe(on);
  });
  front.listen(0, "127.0.0.1");
  await once(front, "listening");
  fronts.push(front);
  return { front, port: (front.address() as AddressInfo).port };
}

function read({ certFile, keyFile }: CertificateFiles) {
  return { cert: readFileSync(certFile), key: readFileSync(keyFile) };
}

/** What an agent at such a certificate says first, after which it still runs. */
async function saidAt(name: string, url: string, caFile?: string): Promise<string> {
  const agent = agents.start(name, { token: tokenFile, url, ...(caFile !== undefined && { caFile }) });
  const said = await agents.saying(agent, / {2}hint .*\n/);
  expect(agent.exitCode).toBeNull();
  await agents.stop(agent);
  return said;
}

describe("an agent by HTTPS with a certificate of an own authority", () => {
  it("takes a step and brings back what it has made", async () => {
    const at = await frontWith(await authority.issue("good", ["localhost"]));
    const agent = agents.start("good", {
      token: tokenFile,
      url: `https://localhost:${at.port}`,
      caFile: authority.caFile,
      more: ["--once"],
    });
    const gone = once(agent, "exit");
    const run = await beginRun(plane, repository, { steps: ["back"] });
    const ended = await runWhen(plane, run, hasEnded);
    expect(stepOf(ended, "back").phase).toBe("passed");
    expect(await logOf(plane, run, "back")).toBe("made-here\n");
    // What the agent believes is no matter of the step's.
    expect(await logOf(plane, run, "far")).toBe("extra is []\n");
    await gone;
    expect([agent.exitCode, agents.saidBy(agent)]).toEqual([0, expect.not.stringContaining("not reached")]);
  });

  it("says which certificate it has seen, for whom and by whom, when it does not believe it", async () => {
    const good = await frontWith(await authority.issue("good", ["localhost"]));
    const unknown = await saidAt("unknown", `https://localhost:${good.port}`);
    expect(unknown).toContain(
      `the control plane is not reached: https://localhost:${good.port} shows a certificate of an authority that this machine does not know\n` +
        "  seen  for DNS:localhost, by CN=Acme Own CA, holds from ",
    );
    expect(unknown).toContain("  hint  start the agent with NODE_EXTRA_CA_CERTS=<file>");

    const other = await saidAt("other", `https://127.0.0.1:${good.port}`, authority.caFile);
    expect(other).toContain("shows a certificate for other names\n  seen  for DNS:localhost, by CN=Acme Own CA");
    expect(other).toContain("  hint  give --control-plane one of those names");
  });

  it("says once that it is over, asks on, and goes to work when it is renewed", async () => {
    const { front, port: at } = await frontWith(await authority.issue("old", ["localhost"], { days: -1 }));
    const agent = agents.start("old", {
      token: tokenFile,
      url: `https://localhost:${at}`,
      caFile: authority.caFile,
    });
    let asked = 0;
    const again = new Promise<void>((resolve) => {
      front.on("connection", () => {
        asked += 1;
        // The agent's first try, its look, and two tries more.
        if (asked === 4) resolve();
      });
    });
    const said = await agents.saying(agent, / {2}hint .*\n/);
    expect(said).toContain(
      "shows a certificate that is over\n  seen  for DNS:localhost, by CN=Acme Own CA, holds from ",
    );
    expect(said).toContain("(CERT_HAS_EXPIRED)\n  hint  renew it where TLS ends");
    await again;
    front.setSecureContext(read(await authority.issue("old", ["localhost"])));
    expect((await agents.saying(agent, /waits for steps/)).match(/not reached/g)).toHaveLength(1);
  });
});

it("an agent that is given an authority's file that is not there still says whom it does not believe", async () => {
  const { port: at } = await frontWith(await authority.issue("good", ["localhost"]));
  const absent = join(room, "absent.pem");
  expect(await saidAt("absent", `https://localhost:${at}`, absent)).toContain("does not know");
  writeFileSync(join(room, "none.pem"), "");
  expect(await saidAt("none", `https://localhost:${at}`, join(room, "none.pem"))).toContain("does not know");
});
