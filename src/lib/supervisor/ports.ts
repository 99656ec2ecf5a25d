import { listenTrouble } from "../listen-trouble.ts";

/**
 * Below 32,768, where Linux begins to give local ports to outgoing connections (ip_local_port_range, ip(7)): such a
 * connection could take an instance's port while it restarts.
 */
export const defaultPortRange = { from: 20_000, to: 29_999 } as const;

export type PortRange = { readonly from: number; readonly to: number };

/** Whether a server could listen there now, on every address. */
export async function portIsFree(port: number): Promise<boolean> {
  const trouble = await listenTrouble({ host: "::", port });
  const hasNoIpv6 = trouble === "EAFNOSUPPORT" || trouble === "EADDRNOTAVAIL";
  return (hasNoIpv6 ? await listenTrouble({ host: "0.0.0.0", port }) : trouble) === null;
}

/**
 * Gives ports in turn round the range, so that one just given back is not given to another unit while somebody may still
 * send to the old one. Two supervisors on one machine begin at different places.
 */
export class Ports {
  readonly #range: PortRange;
  readonly #taken = new Set<number>();
  #next: number;

  constructor(range: PortRange, start: number) {
    this.#range = range;
    this.#next = range.from + (start % (range.to - range.from + 1));
  }

  /** A free port, held until `release`, or null when there is none in the whole range. */
  async acquire(): Promise<number | null> {
    const size = this.#range.to - this.#range.from + 1;
    for (let tried = 0; tried < size; tried++) {
      const port = this.#next;
      this.#next = port === this.#range.to ? this.#range.from : port + 1;
      if (this.#taken.has(port)) continue;
      this.#taken.add(port);
      if (await portIsFree(port)) return port;
      this.#taken.delete(port);
    }
    return null;
  }

  /** Holds a port that an instance had before. False when another holds it. */
  claim(port: number): boolean {
    if (this.#taken.has(port)) return false;
    this.#taken.add(port);
    return true;
  }

  release(port: number): void {
    this.#taken.delete(port);
  }

  get cursor(): number {
    return this.#next - this.#range.from;
  }
}
