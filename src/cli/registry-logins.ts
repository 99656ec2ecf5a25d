import { SlipwayError } from "../core/errors/error.ts";
import type { RegistrySpec } from "../core/product/spec.ts";
import { formatDuration } from "../core/product/units.ts";
import { Secret } from "../core/secret.ts";
import { masked } from "../lib/mask.ts";
import { type CommandResult, runCommand } from "../lib/run-command.ts";

export type RegistryLogin = { readonly username: string; readonly password: Secret };

export type RegistryLoginsOptions = {
  /** What passwords of variables are read from, and what a command is run with. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly monotonicMs: () => number;
  /** Of one run of a command. Default 30 s. */
  readonly timeoutMs?: number;
};

/** What a cloud's tool gives out may end soon after: Google's lasts for four minutes at least, if it came from that tool's own cache. */
const keptMs = 10 * 60_000;
const defaultTimeoutMs = 30_000;
const shownChars = 300;

type Held = { readonly password: Promise<Secret>; readonly until: number };

/** Who we are at registries: with a password of a variable, or one that a command prints, which is kept for as long as it works. */
export class RegistryLogins {
  readonly #options: RegistryLoginsOptions;
  readonly #held = new Map<string, Held>();
  readonly #closing = new AbortController();

  constructor(options: RegistryLoginsOptions) {
    this.#options = options;
  }

  /**
   * The login at a host, null for nobody. `refused` is a password that the registry does not take any more: then the command is run again,
   * once for all who ask at the same time. Errors: REGISTRY_NO_PASSWORD.
   */
  async at(spec: RegistrySpec | null, host: string, refused: Secret | null = null): Promise<RegistryLogin | null> {
    if (spec === null || spec.user === null || spec.repository.split("/")[0] !== host) return null;
    const { user: username, passwordFrom, passwordCommand } = spec;
    if (passwordCommand !== undefined) return { username, password: await this.#printed(passwordCommand, refused) };
    const value = passwordFrom === null ? undefined : this.#options.env[passwordFrom];
    return value === undefined || value === "" ? null : { username, password: new Secret(value) };
  }

  /** Ends the commands that run. */
  close(): void {
    this.#closing.abort(new Error("the control plane ends"));
  }

  async #printed(command: readonly string[], refused: Secret | null): Promise<Secret> {
    const key = JSON.stringify(command);
    const held = this.#held.get(key);
    if (held !== undefined && held.until > this.#options.monotonicMs()) {
      const password = await held.password;
      if (password.reveal() !== refused?.reveal()) return password;
    }
    const now = this.#held.get(key);
    // Another who asked has begun it meanwhile.
    if (now !== undefined && now !== held) return now.password;
    const password = this.#run(command);
    this.#held.set(key, { password, until: this.#options.monotonicMs() + keptMs });
    password.catch(() => this.#held.delete(key));
    return password;
  }

  async #run(command: readonly string[]): Promise<Secret> {
    const printed: string[] = [];
    let complaint = "";
    const result = await runCommand(command, {
      directory: "/",
      env: withoutAbsent(this.#options.env),
      timeoutMs: this.#options.timeoutMs ?? defaultTimeoutMs,
      onLine: (line, stream) => {
        if (line.trim() === "") return;
        if (stream === "stdout") printed.push(line.trim());
        else complaint = line.trim();
      },
      signal: this.#closing.signal,
    });
    const [password] = printed;
    if (result.is === "exited" && result.code === 0 && password !== undefined && printed.length === 1)
      return new Secret(password);
    const said = masked(complaint, printed).slice(0, shownChars);
    throw new SlipwayError("REGISTRY_NO_PASSWORD", {
      message: `there is no password for the registry: ${command[0]} ${whyNone(result, printed.length)}`,
      evidence: [["command", command.join(" ")], ...(said === "" ? [] : [["it said", said] as const])],
    });
  }
}

/** Of what it printed, only how much: it may be a password. */
function whyNone(result: CommandResult, lines: number): string {
  switch (result.is) {
    case "exited":
      if (result.code !== 0) return `ended with exit code ${result.code}`;
      return lines === 0 ? "printed nothing" : `printed ${lines} lines, and a password is one`;
    case "killed":
      return `was killed by ${result.by}`;
    case "timed-out":
      return `did not end within ${formatDuration(result.afterMs)}`;
    case "not-started":
      return `could not be started (${result.why})`;
  }
}

function withoutAbsent(env: RegistryLoginsOptions["env"]): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(env).filter((each): each is [string, string] => each[1] !== undefined));
}
