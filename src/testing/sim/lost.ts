import type { HostStatus } from "../../ports/hosts.ts";
import type { HostsAway, RevisionStatus } from "../../ports/target.ts";
import type { Revision } from "./machine.ts";
import type { SimPlace } from "./target.ts";

/** How long a host is away, by the configs there, until what it had is brought to the others. */
export const lostAfterMs = 3_000;

const prefix = "ssh://host-";

export const hostName = (host: number): string => `host-${host}`;
export const hostUrl = (host: number): string => `${prefix}${host}`;

type Away = { readonly sinceMs: number; readonly sinceWallMs: number; givenUp: boolean };

/**
 * The hosts of a target as one control plane has seen them: which are away, since when, and which it has given up. It begins with nothing, as
 * a control plane does.
 */
export class LostHostsSeen {
  readonly #place: SimPlace;
  readonly #away = new Map<number, Away>();
  /** That have ever answered. */
  readonly #known = new Set<number>();
  #askedMs: number | null = null;

  constructor(place: SimPlace) {
    this.#place = place;
  }

  /** All are asked. */
  look(): void {
    const { machine, timeline } = this.#place;
    this.#askedMs = timeline.nowMs;
    for (let host = 0; host < machine.hosts; host += 1) {
      if (!machine.isLost(host)) {
        this.#away.delete(host);
        this.#known.add(host);
      } else if (!this.#away.has(host))
        this.#away.set(host, {
          sinceMs: timeline.nowMs,
          sinceWallMs: Math.round(timeline.wallMs),
          givenUp: false,
        });
    }
  }

  hosts(): HostStatus[] {
    const { machine, timeline } = this.#place;
    if (machine.hosts === 1) return [];
    return Array.from({ length: machine.hosts }, (_, host) => {
      const away = this.#away.get(host);
      return {
        name: hostName(host),
        url: hostUrl(host),
        awayForMs: away === undefined ? null : timeline.nowMs - away.sinceMs,
        askedMs: this.#askedMs,
        givenUp: away?.givenUp === true,
      };
    });
  }

  giveUp(url: string): void {
    const away = this.#away.get(Number(url.slice(prefix.length)));
    if (away !== undefined) away.givenUp = true;
  }

  /** Whose absence is no matter to a call. */
  leftOut(hostsAway: HostsAway = "as configured"): ReadonlySet<number> {
    const out = [...this.#away].filter(([, { givenUp }]) => givenUp || hostsAway === "left out");
    return new Set(out.map(([host]) => host));
  }

  someAway(leftOut: ReadonlySet<number>): boolean {
    return [...this.#away.keys()].some((host) => !leftOut.has(host));
  }

  /** Nobody can say what is on a host that never answered, and is not given up. */
  isUnseen(): boolean {
    return [...this.#away].some(([host, { givenUp }]) => !givenUp && !this.#known.has(host));
  }

  seen(revision: Revision | undefined): RevisionStatus | null {
    return revision === undefined ? null : this.asSeen(this.#place.machine.statusOf(revision));
  }

  /** What was on a host that is away is told as it was seen last; what is on one that is given up is not told. */
  asSeen(status: RevisionStatus): RevisionStatus {
    if (this.#away.size === 0) return status;
    const awayAt = (host: string | null): Away | undefined =>
      host === null ? undefined : this.#away.get(Number(host.slice(hostName(0).length - 1)));
    const told = status.instances.filter(({ host }) => awayAt(host)?.givenUp !== true);
    return {
      ...status,
      wanted: status.wanted - (status.instances.length - told.length),
      instances: told.map((instance) => {
        const away = awayAt(instance.host);
        return away === undefined ? instance : { ...instance, lastSeen: away.sinceWallMs };
      }),
    };
  }
}
