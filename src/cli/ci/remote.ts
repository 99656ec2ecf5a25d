import { Client } from "../../api/client.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import { idToken } from "./id-token.ts";

/** A session is renewed when it has less left than this. */
const spareMs = 2 * 60_000;

type Opened = { readonly session: string; readonly until: number; readonly actor: string; readonly product: string };

/** A control plane elsewhere, spoken to as a job of a CI that has proven itself. */
export class RemotePlane {
  readonly #url: string;
  readonly #audience: string;
  readonly #env: NodeJS.ProcessEnv;
  #open: { readonly client: Client; readonly is: Opened } | null = null;

  constructor(url: string, audience: string, env: NodeJS.ProcessEnv) {
    const given = URL.canParse(url) ? new URL(url) : null;
    const isHere = given !== null && ["127.0.0.1", "localhost", "[::1]"].includes(given.hostname);
    if (given === null || (given.protocol !== "https:" && !(isHere && given.protocol === "http:")))
      throw new SlipwayError("USAGE", {
        message: `${JSON.stringify(url)} is not where a control plane can be spoken to`,
        hint: "give its address with https://, as in triggers.url",
      });
    this.#url = url.replace(/\/+$/, "");
    this.#audience = audience;
    this.#env = env;
  }

  /** Errors: UNAUTHORIZED, FORBIDDEN, ISSUER_AWAY, CONTROL_PLANE_DOWN. */
  async client(): Promise<Client> {
    if (this.#open !== null && Date.now() < this.#open.is.until - spareMs) return this.#open.client;
    const token = await idToken(this.#env, this.#audience);
    const nobody = new Client({ url: this.#url, token: "" });
    try {
      const is = await nobody.post<Opened>("/v1/sessions", { token });
      this.close();
      this.#open = { is, client: new Client({ url: this.#url, token: is.session }) };
      return this.#open.client;
    } finally {
      nobody.close();
    }
  }

  close(): void {
    this.#open?.client.close();
  }
}

/** What only the control plane of this machine can do: it has no working tree of ours, and takes no words for a person. Errors: USAGE. */
export function mustBePossible<Options extends object>(
  options: Options,
  local: readonly (keyof Options & string)[],
): void {
  const odd = local.find((name) => options[name] !== undefined);
  if (odd === undefined) return;
  const flag = odd.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new SlipwayError("USAGE", { message: `--${flag} is not for a control plane elsewhere`, hint: "leave it out" });
}
