import { type IpSet, ipSet } from "../../../lib/ip.ts";
import type { EdgeConfig } from "../../../ports/edge.ts";
import { AccessLog } from "./access-log.ts";
import type { CompiledTable } from "./compiled.ts";
import type { Holds } from "./holds.ts";
import { Sleepers } from "./sleepers.ts";

/** What all requests of one worker share. */
export class Traffic {
  limits: EdgeConfig["limits"];
  trusted: IpSet;
  table: CompiledTable | null = null;
  log: AccessLog | null;
  readonly holds: Holds;
  readonly sleepers = new Sleepers();
  /** Requests answered for no revision. */
  unrouted = 0;
  /** Answers say `Connection: close`, because this worker is about to end. */
  leaving = false;
  /** Open ACME challenges, token to answer; null but for the seconds in which a certificate is got. */
  challenges: ReadonlyMap<string, string> | null = null;
  #config: EdgeConfig;

  constructor(config: EdgeConfig, holds: Holds) {
    this.#config = config;
    this.holds = holds;
    this.limits = config.limits;
    this.trusted = ipSet(config.trustedProxies);
    this.log = config.accessLog === null ? null : new AccessLog(config.accessLog);
  }

  get listeners(): EdgeConfig["listeners"] {
    return this.#config.listeners;
  }

  configure(config: EdgeConfig): void {
    const before = this.#config;
    this.#config = config;
    this.limits = config.limits;
    this.trusted = ipSet(config.trustedProxies);
    if (before.accessLog?.file === config.accessLog?.file) return;
    void this.log?.reopen();
    this.log = config.accessLog === null ? null : new AccessLog(config.accessLog);
  }
}
