/** Whether answer `number` of a version fails: a hash of both (murmur3's last mix), so neither time nor order has a part in it. */
export function failed({ seed, share }, number) {
  let mixed = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b)) >>> 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return ((mixed ^ (mixed >>> 16)) >>> 0) / 4_294_967_296 < share;
}
