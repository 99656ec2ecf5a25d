import type { Digest, RunId } from "../../core/ids.ts";
import type { RegistryProgress } from "../../ports/registry.ts";

/** A watcher is woken at most this often by what moves. */
const newsMs = 500;

/** An image on its way to a host, or to a registry in a run. */
export type Transfer = { readonly image: Digest; readonly to: string; readonly run: RunId | null };

type Shipped = { readonly engine: string; readonly image: { readonly digest: Digest } };

/** Images on their way at this moment, and how far they are. In memory only: it is of no use after them. */
export class Transfers {
  readonly #all = new Map<string, Transfer & RegistryProgress>();
  readonly #news: () => void;
  #timer: NodeJS.Timeout | null = null;

  constructor(news: () => void) {
    this.#news = news;
  }

  /** Those to hosts. */
  among(images: ReadonlySet<Digest>): readonly (Transfer & RegistryProgress)[] {
    return [...this.#all.values()].filter(({ image, run }) => run === null && images.has(image));
  }

  of(run: RunId): readonly (Transfer & RegistryProgress)[] {
    return [...this.#all.values()].filter((each) => each.run === run);
  }

  /** What a shipper tells, by the names that people have for the hosts. */
  toHosts(hosts: readonly { readonly name: string; readonly url: string }[]) {
    const transferOf = ({ engine, image }: Shipped): Transfer => {
      const to = hosts.find(({ url }) => url === engine)?.name ?? engine;
      return { image: image.digest, to, run: null };
    };
    return {
      onProgress: (news: Shipped, progress: RegistryProgress): void => this.moved(transferOf(news), progress),
      onEnd: (news: Shipped): void => this.ended(transferOf(news)),
    };
  }

  moved(transfer: Transfer, progress: RegistryProgress): void {
    this.#all.set(keyOf(transfer), { ...transfer, ...progress });
    this.#tell();
  }

  /** It has arrived, or it has failed. */
  ended(transfer: Transfer): void {
    if (this.#all.delete(keyOf(transfer))) this.#tell();
  }

  #tell(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#news();
    }, newsMs).unref();
  }
}

const keyOf = ({ image, to, run }: Transfer): string => JSON.stringify([image, to, run]);
