import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEngine, type TestEngine } from "../../src/testing/hosts/engine.ts";
import { shellImage } from "../../src/testing/hosts/shell-image.ts";
import { containersOf, networksOf, volumesOf } from "../docker/engine.fixture.ts";
import { dataImages, dockerConfig } from "./integration.fixture.ts";
import { type SynthTest, services, synthTest } from "./product.fixture.ts";

let engine: TestEngine;
let test: SynthTest;
let directory: string;
let env: NodeJS.ProcessEnv;
/** Names of images that no registry is asked for: the engine has them. */
const images = { redis: "127.0.0.1:9/redis:7.4", postgres: "127.0.0.1:9/postgres:17" };

/** Both answer; then it ends as it was told to. */
const asks = `
  redis-cli -h "$REDIS_HOST" -p "$REDIS_PORT" set greeting hello
  PGPASSWORD=integration psql -h "$DB_HOST" -p "$DB_PORT" -U postgres -d postgres -tAc "select 'rows: ' || 6 * 7"
  exit "\${END:-0}"`;

const stack = `
services:
  cache:
    image: ${images.redis}
    volumes: [kept:/data]
    healthcheck: { test: [CMD, redis-cli, ping], interval: 200ms, retries: 50 }
  tests:
    image: slipway-test/shell:1
    command: ["sh", "-c", "printf 'PING\\\\r\\\\n' | nc -w 5 cache 6379; exit $END"]
    environment: { END: "\${END:-0}" }
    depends_on: { cache: { condition: service_healthy } }
volumes: { kept: {} }
`;

beforeAll(async () => {
  engine = await startEngine();
  await Promise.all([dataImages(engine, images), shellImage(engine)]);
  test = synthTest();
  directory = mkdtempSync(join(tmpdir(), "slipway-integration-"));
  env = { ...process.env, ...dockerConfig(directory), DOCKER_HOST: engine.url };
  test.write("compose.test.yml", stack);
  test.configure({
    name: "shop",
    services,
    accessories: {
      redis: { image: images.redis, port: 6379, volumes: ["redis:/data"] },
      db: {
        image: images.postgres,
        port: 5432,
        secrets: ["POSTGRES_PASSWORD"],
        volumes: ["db:/var/lib/postgresql/data"],
      },
    },
    pipeline: {
      steps: {
        integration: { shell: asks },
        inside: {
          image: "slipway-test/shell:1",
          shell: "printf 'PING\\r\\n' | nc -w 5 redis 6379; exit $END",
          beside: ["redis"],
          env: { END: "0" },
        },
        stack: { compose: { file: "compose.test.yml", exitCodeFrom: "tests" } },
      },
    },
  });
  const made = await test.synth(["integration", "scripts"]);
  expect(made.code, made.text).toBe(0);
});
afterAll(async () => {
  test?.remove();
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  await engine?.down();
});

function begin(words: readonly string[], more: Readonly<Record<string, string>> = {}) {
  const [program = "", ...args] = words;
  // As runners start it: a group of its own, which they end as one.
  const child = spawn(program, args, {
    cwd: test.directory,
    env: { ...env, ...more },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const end = once(child, "close").then(([code]) => ({ code: code as number | null, text }));
  return { pid: child.pid ?? 0, end };
}

async function nothingIsLeft(): Promise<void> {
  expect(await containersOf(engine)).toEqual([]);
  expect(await networksOf(engine)).toEqual([]);
  expect(await volumesOf(engine)).toEqual([]);
}

const beside = "scripts/ci/integration.sh";

describe("docker-compose.integration.yml", () => {
  it("brings up a Redis and a PostgreSQL to throw away, waits until both are meant to be asked, and is gone after", async () => {
    const { code, text } = await begin([beside, "scripts/ci/steps/integration.sh"]).end;
    expect(code, text).toBe(0);
    expect(text).toContain("OK");
    expect(text).toContain("rows: 42");
    await nothingIsLeft();
  });

  it("exits as the test did, shows what the accessories said, and is gone after", async () => {
    const { code, text } = await begin([beside, "scripts/ci/steps/integration.sh"], { END: "7" }).end;
    expect(code, text).toBe(7);
    expect(text).toMatch(/db-1 +\| .*database system is ready to accept connections/);
    await nothingIsLeft();
  });

  it("has a step in a container of its own find them by name", async () => {
    const { code, text } = await begin([beside, "scripts/ci/steps/inside.sh"]).end;
    expect(code, text).toBe(0);
    expect(text).toContain("PONG");
    await nothingIsLeft();
  });

  it("goes when a runner ends the job, and is as often there as it is run", async () => {
    const runs = [1, 2].map((number) => {
      const mark = join(directory, `up-${number}`);
      const up = new Promise<void>((resolve) => {
        const watcher = watch(directory, () => {
          if (!existsSync(mark)) return;
          watcher.close();
          resolve();
        });
      });
      return { ...begin([beside, "sh", "-c", 'touch "$MARK"; exec sleep 1000'], { MARK: mark }), up };
    });
    const tooSoon = Promise.race(runs.map(({ end }) => end)).then(({ code, text }) => ({ code, text }));
    expect(await Promise.race([Promise.all(runs.map(({ up }) => up)).then(() => "both are up"), tooSoon])).toBe(
      "both are up",
    );
    expect(await containersOf(engine)).toHaveLength(4);
    for (const { pid } of runs) process.kill(-pid, "SIGTERM");
    for (const { code, text } of await Promise.all(runs.map(({ end }) => end))) expect(code, text).toBe(143);
    await nothingIsLeft();
  });

  it("is gone too when an accessory cannot start, and says what it said", async () => {
    const [file, text] = ["docker-compose.integration.yml", test.read("docker-compose.integration.yml")];
    test.write(file, text.replace(/( {4}image: .*redis:7\.4"?)/, "$1\n    command: [redis-server, --no-such-thing]"));
    try {
      const { code, text } = await begin([beside, "true"]).end;
      expect(code, text).toBe(1);
      expect(text).toMatch(/redis-1 +\| .*no-such-thing/);
    } finally {
      test.write(file, text);
    }
    await nothingIsLeft();
  });
});

describe("a step with a Compose file of the team", () => {
  it.each([0, 9])("exits as its test service did, with %d, and leaves nothing", async (wanted) => {
    const { code, text } = await begin(["scripts/ci/steps/stack.sh"], { END: String(wanted) }).end;
    expect(code, text).toBe(wanted);
    expect(text).toContain("PONG");
    await nothingIsLeft();
  });
});
