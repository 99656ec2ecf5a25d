import type { Client } from "../api/client.ts";
import { isSlipwayError } from "../core/errors/error.ts";

/** How long to go on asking while the control plane is away: it may be on its way back. */
const patienceMs = 15_000;
const againMs = 200;

/** The patience of one who waits for an answer of the control plane, through its restart. */
export class Away {
  #since: number | null = null;

  /** It has answered. */
  over(): void {
    this.#since = null;
  }

  /** Waits a moment, for it to be asked again. Throws the error where it says something else, or when this has lasted too long. */
  async wait(error: unknown): Promise<void> {
    if (!isSlipwayError(error) || error.code !== "CONTROL_PLANE_DOWN") throw error;
    this.#since ??= Date.now();
    if (Date.now() - this.#since > patienceMs) throw error;
    await new Promise((resolve) => setTimeout(resolve, againMs));
  }
}

/**
 * Posts until there is an answer: a control plane that was killed in between may have done what was asked for. Only for what may be
 * asked twice, such as what has its id from here. Errors: what the route says; CONTROL_PLANE_DOWN.
 */
export async function postUntilAnswered<T>(
  { client, reconnect }: { readonly client: Client; readonly reconnect: () => Promise<Client> },
  path: string,
  body: unknown,
): Promise<T> {
  const away = new Away();
  for (let first = true; ; first = false) {
    try {
      return await (first ? client : await reconnect()).post<T>(path, body);
    } catch (error) {
      await away.wait(error);
    }
  }
}
