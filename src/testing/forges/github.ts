import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createEmulator, type Emulator } from "emulate";
import { ForgeDescription } from "./forge-description.ts";

export type Sent = { readonly operation: string; readonly path: string; readonly body: Record<string, unknown> };
type Refusal = { readonly status: number; readonly headers?: Record<string, string>; readonly body?: object };

const appId = 4711;

/**
 * GitHub, as far as it is here: every request is held against GitHub's own description, then answered by `emulate`, which others have
 * written. What that has not got (statuses, deployments, which pull request a commit has) is kept here, in the words of the description's
 * examples.
 */
export class GithubStandIn {
  readonly url: string;
  readonly app = `${appId}`;
  readonly sent: Sent[] = [];
  /** What was wrong with a request; tests want none. */
  readonly faults: string[] = [];
  /** Answers before anything else does, as long as it answers. */
  refuse: (operation: string) => Refusal | null = () => null;
  /** Commit → pull request. */
  readonly pulls = new Map<string, number>();
  readonly #emulator: Emulator;
  readonly #server: ReturnType<typeof createServer>;
  readonly #description = new ForgeDescription("github");
  readonly #deployments: {
    readonly id: number;
    readonly sha: string;
    readonly environment: string;
    readonly payload: unknown;
  }[] = [];
  readonly #statuses = new Map<string, Record<string, unknown>[]>();

  private constructor(emulator: Emulator, server: ReturnType<typeof createServer>) {
    this.#emulator = emulator;
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("request", (request, response) => void this.#serve(request, response));
  }

  static async start(port: number): Promise<GithubStandIn> {
    const emulator = await createEmulator({
      service: "github",
      port,
      seed: {
        tokens: { "token-of-the-test": { login: "octocat", scopes: ["repo"] } },
        github: {
          users: [{ login: "octocat", name: "Octocat", email: "octocat@example.org" }],
          repos: [{ owner: "octocat", name: "shop", auto_init: true }],
          apps: [
            {
              app_id: appId,
              slug: "slipway",
              name: "Slipway",
              permissions: {
                checks: "write",
                statuses: "write",
                deployments: "write",
                issues: "write",
                pull_requests: "write",
              },
              installations: [{ installation_id: 100, account: "octocat", repository_selection: "all" }],
            },
          ],
        },
      },
    });
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new GithubStandIn(emulator, server);
  }

  /** Of what is kept here nothing is left, and nothing is refused any more. */
  forget(): void {
    this.refuse = () => null;
    for (const list of [this.sent, this.faults, this.#deployments]) list.length = 0;
    for (const map of [this.pulls, this.#statuses]) map.clear();
  }

  /** Of the app. */
  get privateKey(): string {
    return this.#emulator.generatedSecrets.find(({ kind }) => kind === "github.app_private_key")?.value ?? "";
  }

  /** Opens an issue, which to the API of comments is what a pull request is. */
  async issue(): Promise<number> {
    const made = await this.ask("POST", "/repos/octocat/shop/issues", { title: "a pull request" });
    return (made as { number: number }).number;
  }

  async head(): Promise<string> {
    const branch = (await this.ask("GET", "/repos/octocat/shop/branches/main")) as { commit: { sha: string } };
    return branch.commit.sha;
  }

  /** As somebody else, past everything that is looked at here. */
  async ask(method: string, path: string, body?: object): Promise<unknown> {
    const answer = await fetch(`${this.#emulator.url}${path}`, {
      method,
      headers: { authorization: "Bearer token-of-the-test", "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }

  async comments(issue: number): Promise<readonly { readonly id: number; readonly body: string }[]> {
    return (await this.ask("GET", `/repos/octocat/shop/issues/${issue}/comments`)) as { id: number; body: string }[];
  }

  async checkRuns(commit: string) {
    const { check_runs } = (await this.ask("GET", `/repos/octocat/shop/commits/${commit}/check-runs`)) as {
      check_runs: { name: string; status: string; conclusion: string | null; external_id: string }[];
    };
    return check_runs;
  }

  /** Somebody else's CI says so. */
  say(commit: string, context: string, state: string): void {
    this.#statuses.set(commit, [{ context, state, description: null }, ...this.statuses(commit)]);
  }

  statuses(commit: string): readonly Record<string, unknown>[] {
    return this.#statuses.get(commit) ?? [];
  }

  bodies(operation: string): readonly Record<string, unknown>[] {
    return this.sent.filter((one) => one.operation === operation).map(({ body }) => body);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await this.#emulator.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString("utf8");
    const url = new URL(request.url ?? "/", this.url);
    const { method = "GET" } = request;
    const answer = (status: number, body: unknown, headers: Record<string, string> = {}): void => {
      response.writeHead(status, { "content-type": "application/json", ...headers });
      response.end(JSON.stringify(body));
    };
    try {
      const body = text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
      const operation = this.#description.check(method, url, text === "" ? undefined : body);
      this.sent.push({ operation: operation.name, path: url.pathname, body });
      const refused = this.refuse(operation.name);
      if (refused !== null)
        return answer(refused.status, refused.body ?? { message: "refused by the test" }, refused.headers);
      const own = this.#own(operation.name, url, body, operation.answer);
      if (own !== undefined) return answer(operation.status, own);
      const passed = await fetch(`${this.#emulator.url}${url.pathname}${url.search}`, {
        method,
        headers: { authorization: request.headers.authorization ?? "", "content-type": "application/json" },
        ...(text === "" ? {} : { body: text }),
      });
      // Of commits that nobody has pushed there it says that they are not there; to us they have no checks.
      if (passed.status >= 400 && operation.name === "get /repos/{owner}/{repo}/commits/{ref}/check-runs")
        return answer(200, { total_count: 0, check_runs: [] });
      answer(passed.status, await passed.json());
    } catch (error) {
      this.faults.push(String(error));
      answer(422, { message: String(error) });
    }
  }

  /** What `emulate` has not got. Undefined: it has. */
  #own(operation: string, url: URL, body: Record<string, unknown>, example: unknown): unknown {
    const parts = url.pathname.split("/");
    switch (operation) {
      case "post /repos/{owner}/{repo}/statuses/{sha}": {
        const status = { ...(example as object), ...body };
        this.#statuses.set(parts[5]!, [status, ...this.statuses(parts[5]!)]);
        return status;
      }
      case "get /repos/{owner}/{repo}/commits/{ref}/statuses":
        return this.statuses(parts[5]!);
      case "get /repos/{owner}/{repo}/commits/{commit_sha}/pulls": {
        const number = this.pulls.get(parts[5]!);
        return number === undefined ? [] : [{ number, state: "open" }];
      }
      case "get /repos/{owner}/{repo}/deployments":
        return this.#deployments.filter(
          ({ sha, environment }) =>
            sha === url.searchParams.get("sha") && environment === url.searchParams.get("environment"),
        );
      case "post /repos/{owner}/{repo}/deployments": {
        const { ref, environment, payload } = body as { ref: string; environment: string; payload: unknown };
        const made = { ...(example as object), id: this.#deployments.length + 1, sha: ref, environment, payload };
        this.#deployments.push(made);
        return made;
      }
      case "post /repos/{owner}/{repo}/deployments/{deployment_id}/statuses":
        return { ...(example as object), ...body };
      default:
        return undefined;
    }
  }
}
