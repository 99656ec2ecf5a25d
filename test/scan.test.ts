import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { GateEvidence } from "../src/engine/gates/evidence.ts";
import { deploy, ended, type Plane, startPlane, tearDown } from "./fixture/plane.ts";
import { makeRepository, phasesOf, type Repository, runToEnd, stepOf } from "./fixture/repository.ts";

/** Advisories as npm's registry answers them, by package. */
const lodash = {
  id: 1106913,
  url: "https://github.com/advisories/GHSA-35jh-r3h4-6jhm",
  title: "Command Injection in lodash",
  severity: "high",
  vulnerable_versions: "<4.17.21",
  cwe: ["CWE-77"],
  cvss: { score: 7.2, vectorString: "CVSS:3.1/AV:N/AC:L/PR:H/UI:N/S:U/C:H/I:H/A:H" },
};
const minimist = {
  ...lodash,
  id: 1097678,
  url: "https://github.com/advisories/GHSA-xvch-5gv4-984h",
  title: "Prototype Pollution in minimist",
  severity: "critical",
  vulnerable_versions: "<0.2.4",
};

let repository: Repository;
let plane: Plane;
let registry: Server;
/** What is known; null: the registry refuses to say. */
let advisories: Readonly<Record<string, readonly object[]>> | null = {};
const asked: string[] = [];

beforeAll(async () => {
  registry = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const isAdvisories = request.url === "/-/npm/v1/security/advisories/bulk";
      if (!isAdvisories || advisories === null) return response.writeHead(405).end();
      const body = Buffer.concat(parts);
      asked.push((request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body).toString());
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(advisories));
    });
  });
  await new Promise<void>((resolve) => registry.listen(0, "127.0.0.1", resolve));
  repository = await makeRepository();
  plane = await startPlane(repository);
});
afterAll(async () => {
  registry.close();
  await tearDown(repository, plane);
});

const dependencies = { lodash: "4.17.11", minimist: "0.0.8" };
const files = {
  "package.json": JSON.stringify({ name: "top", version: "1.0.0", dependencies }),
  "package-lock.json": JSON.stringify({
    name: "top",
    version: "1.0.0",
    lockfileVersion: 3,
    packages: {
      "": { name: "top", version: "1.0.0", dependencies },
      "node_modules/lodash": { version: "4.17.11" },
      "node_modules/minimist": { version: "0.0.8" },
    },
  }),
};
const product = () => ({
  environments: {
    production: { edge: { listen: `127.0.0.1:${repository.port}` }, gates: { approval: { authorMayApprove: true } } },
  },
  services: { mailer: { kind: "worker", command: ["node", "-e", "setInterval(() => {}, 1000)"] } },
  rollout: { bake: "10ms" },
});
const waiver = (finding: string, expires: string) => ({ finding, owner: "ada", reason: "a build tool", expires });
const scan = (policy: object, waivers: readonly object[] = []) => {
  const env = {
    npm_config_registry: `http://127.0.0.1:${(registry.address() as AddressInfo).port}/`,
    npm_config_fetch_retries: "0",
  };
  const unit = {
    shell: 'mkdir -p out; echo \'<testsuite><testcase name="a"/><testcase name="b"/></testsuite>\' > out/junit.xml',
    reports: { junit: ["out/junit.xml"] },
  };
  return { steps: { scan: { env, scan: policy }, unit }, waivers };
};

describe("a scan with npm's own audit", () => {
  it("stops what is new since the live release, honours a word until it is over, and shows it to who approves", async () => {
    advisories = { lodash: [lodash] };
    repository.write(scan({}), files, product());
    const found = await runToEnd(plane, repository, { event: "deploy", release: true });
    expect(phasesOf(found)).toEqual({ scan: "failed", unit: "passed" });
    expect(found.release).toBeNull();
    expect(stepOf(found, "scan").reason).toBe("1 finding; 1 high or worse: GHSA-35jh-r3h4-6jhm lodash <4.17.21");
    expect(JSON.parse(asked[0] ?? "")).toEqual({ lodash: ["4.17.11"], minimist: ["0.0.8"] });

    const since = { newSince: "production" };
    repository.write(scan(since, [waiver("GHSA-35jh-r3h4-6jhm", "2999-12-31")]), files, product());
    const first = await runToEnd(plane, repository, { event: "deploy", release: true });
    expect(stepOf(first, "scan")).toMatchObject({ phase: "passed", scan: { waived: [{ waiver: { owner: "ada" } }] } });
    const deployment = await deploy(plane, first.release ?? "");
    const evidence = await plane.client.get<GateEvidence>(`/v1/deployments/${deployment}/evidence`);
    expect(evidence.lines).toContainEqual(["tests", "unit: 2 tests"]);
    expect(evidence.lines).toContainEqual([
      "scan",
      "high GHSA-35jh-r3h4-6jhm lodash <4.17.21: the waiver of GHSA-35jh-r3h4-6jhm by ada until 2999-12-31 (a build tool)",
    ]);
    await plane.client.post(`/v1/deployments/${deployment}/approvals`, {
      verdict: "approved",
      actor: "grace",
      reason: "looked at",
      live: evidence.live,
    });
    expect(await ended(plane, deployment)).toMatchObject({ phase: "succeeded" });

    // Known to what is live: no word is needed any more. What comes to be known meanwhile is new.
    repository.write(scan(since), files, product());
    expect(stepOf(await runToEnd(plane, repository), "scan")).toMatchObject({
      phase: "passed",
      reason: "1 finding; none high or worse, new since r1, which is live in production",
    });
    advisories = { lodash: [lodash], minimist: [minimist] };
    repository.write(scan(since, [waiver("GHSA-xvch-5gv4-984h", "2020-02-29")]), files, product());
    const stopped = stepOf(await runToEnd(plane, repository), "scan");
    expect(stopped).toMatchObject({
      phase: "failed",
      reports: { findings: { counts: { critical: 1, high: 1 } } },
      scan: { blocking: [{ rule: "GHSA-xvch-5gv4-984h", package: "minimist <0.2.4" }] },
    });
    expect(stopped.reason).toContain("by ada until 2020-02-29 (a build tool) is over and counts no more");
  });

  it("does not pass when nobody says what is known, or there is no report", async () => {
    advisories = null;
    repository.write(scan({}), files, product());
    const refused = stepOf(await runToEnd(plane, repository), "scan");
    expect(refused.phase).toBe("failed");
    expect(refused.reason).toContain("npm-audit.json was not read: its tool has failed: 405 Method Not Allowed");
    const silent = { scan: { shell: "true", reports: { scan: ["out.json"] }, scan: {} } };
    repository.write({ steps: silent }, {}, product());
    expect(stepOf(await runToEnd(plane, repository), "scan").reason).toBe("no file is out.json");
  });
});
