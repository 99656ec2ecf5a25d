import { expect, test } from "vitest";
import { clientNetwork, ipSet, isCidr, plainIp } from "./ip.ts";

test("a set holds the addresses of its CIDRs, of both families, and nothing else", () => {
  const set = ipSet(["10.0.0.0/8", "192.168.1.7", "2001:db8::/32"]);
  for (const ip of ["10.255.0.1", "192.168.1.7", "2001:db8:1::1", "::ffff:10.1.1.1"])
    expect(set.has(ip), ip).toBe(true);
  for (const ip of ["11.0.0.1", "192.168.1.8", "2001:db9::1", "", "10.0.0", "10.0.0.1.evil"])
    expect(set.has(ip), ip).toBe(false);
});

test("an empty set holds nobody", () => {
  expect(ipSet([]).has("127.0.0.1")).toBe(false);
});

test("what is no CIDR is refused by name", () => {
  for (const text of ["10.0.0.0/33", "10.0.0/8", "::1/129", "a", "10.0.0.0/8/8", "10.0.0.0/-1", "10.0.0.0/"])
    expect(isCidr(text), text).toBe(false);
  expect(() => ipSet(["10.0.0.0/8", "nonsense"])).toThrow('"nonsense"');
});

test("an IPv4 address wrapped in IPv6 is the IPv4 address", () => {
  expect(plainIp("::ffff:127.0.0.1")).toBe("127.0.0.1");
  expect(plainIp("2001:DB8::1")).toBe("2001:db8::1");
});

test("an IPv6 client is counted by its /64", () => {
  expect(clientNetwork("10.1.2.3")).toBe("10.1.2.3");
  expect(clientNetwork("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1:2::/64");
  expect(clientNetwork("2001:db8::6")).toBe("2001:db8:0:0::/64");
  expect(clientNetwork("::1")).toBe("0:0:0:0::/64");
});
