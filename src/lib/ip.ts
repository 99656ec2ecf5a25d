import { BlockList, isIP } from "node:net";

/** Answers about the newest so many addresses are remembered; one client asks the same thing again and again. */
const rememberedAnswers = 10_000;

export type IpSet = {
  /** False for what is no address at all. */
  has(ip: string): boolean;
};

/** The address without the wrapping of IPv4 in IPv6 (`::ffff:10.0.0.1` is `10.0.0.1`), lower case. */
export function plainIp(ip: string): string {
  return ip.startsWith("::ffff:") && isIP(ip.slice(7)) === 4 ? ip.slice(7) : ip.toLowerCase();
}

/** True for `10.0.0.0/8`, `::1/128`, or a bare address. */
export function isCidr(text: string): boolean {
  return readCidr(text) !== null;
}

/** The set of all addresses in `cidrs`. Throws a RangeError that names the first one that is no CIDR. */
export function ipSet(cidrs: readonly string[]): IpSet {
  const list = new BlockList();
  for (const text of cidrs) {
    const cidr = readCidr(text);
    if (cidr === null) throw new RangeError(`${JSON.stringify(text)} is not an address or CIDR`);
    list.addSubnet(cidr.address, cidr.bits, cidr.family);
  }
  const answers = new Map<string, boolean>();
  return {
    has(ip) {
      if (cidrs.length === 0) return false;
      const known = answers.get(ip);
      if (known !== undefined) return known;
      const family = isIP(ip);
      const answer = family !== 0 && list.check(ip, family === 4 ? "ipv4" : "ipv6");
      if (answers.size >= rememberedAnswers) answers.clear();
      answers.set(ip, answer);
      return answer;
    },
  };
}

/**
 * What one client is when requests are counted: an IPv4 address, or the /64 of an IPv6 address, because a single
 * subscriber is given a whole /64 (RFC 6177) and could use a new address for each request.
 */
export function clientNetwork(ip: string): string {
  if (!ip.includes(":")) return ip;
  const [left = "", right = ""] = ip.split("::", 2);
  const head = left === "" ? [] : left.split(":");
  const tail = right === "" ? [] : right.split(":");
  const zeros = ip.includes("::") ? new Array<string>(Math.max(0, 8 - head.length - tail.length)).fill("0") : [];
  return `${[...head, ...zeros, ...tail].slice(0, 4).join(":")}::/64`;
}

function readCidr(text: string): { address: string; bits: number; family: "ipv4" | "ipv6" } | null {
  const [address = "", bitsText, more] = text.split("/");
  const version = isIP(address);
  if (version === 0 || more !== undefined) return null;
  const most = version === 4 ? 32 : 128;
  if (bitsText !== undefined && !/^\d{1,3}$/.test(bitsText)) return null;
  const bits = bitsText === undefined ? most : Number(bitsText);
  return bits > most ? null : { address, bits, family: version === 4 ? "ipv4" : "ipv6" };
}
