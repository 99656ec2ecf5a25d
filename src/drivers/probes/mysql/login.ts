import { constants, createHash, publicEncrypt } from "node:crypto";
import { type Greeting, MysqlError, type Packets, untilZero } from "./packets.ts";

export type Who = { readonly user: string; readonly password: string; readonly database: string };

const flags = {
  longPassword: 1,
  connectWithDb: 8,
  protocol41: 512,
  ssl: 2_048,
  secureConnection: 32_768,
  pluginAuth: 524_288,
};
const utf8mb4 = 45;
const maxPacketBytes = 16_777_216;

/** Asks to go on in TLS; the packet that comes next is the login, of which the head is already this. */
export function askForTls(packets: Packets, { capabilities }: Greeting, who: Who): boolean {
  if ((capabilities & flags.ssl) === 0) return false;
  packets.write(head(who, { secure: true }));
  return true;
}

/** Logs in by `mysql_native_password` or `caching_sha2_password`. A password is sent as it is only through TLS. */
export async function logIn(packets: Packets, { salt, plugin }: Greeting, who: Who, secure: boolean): Promise<void> {
  const proof = proofOf(plugin, who.password, salt);
  packets.write(
    Buffer.concat([
      head(who, { secure }),
      Buffer.from(`${who.user}\0`),
      Buffer.from([proof.length]),
      proof,
      Buffer.from(who.database === "" ? "" : `${who.database}\0`),
      Buffer.from(`${knownPlugin(plugin)}\0`),
    ]),
  );
  let current = { plugin, salt };
  for (;;) {
    const packet = await packets.read();
    switch (packet[0]) {
      case 0x00:
        return;
      case 0xff:
        throw new MysqlError(packet);
      case 0xfe: {
        const name = untilZero(packet.subarray(1));
        current = { plugin: name, salt: packet.subarray(name.length + 2).subarray(0, 20) };
        if (name !== knownPlugin(name)) throw new Error(`it wants a login by ${name}, which is not known here`);
        packets.write(proofOf(name, who.password, current.salt));
        break;
      }
      case 0x01:
        await moreProof(packets, packet, current.salt, who.password, secure);
        break;
      default:
        throw new Error("it does not speak as a MySQL");
    }
  }
}

/** `caching_sha2_password`: the server knows the proof (3), or needs the password itself (4), which is encrypted where the line is not. */
async function moreProof(
  packets: Packets,
  packet: Buffer,
  salt: Buffer,
  password: string,
  secure: boolean,
): Promise<void> {
  if (packet[1] === 3) return;
  if (packet[1] !== 4) throw new Error("it does not speak as a MySQL");
  const plain = Buffer.from(`${password}\0`);
  if (secure) return packets.write(plain);
  packets.write(Buffer.from([2]));
  const key = (await packets.read()).subarray(1).toString("latin1");
  const mixed = Buffer.from(plain.map((byte, index) => byte ^ (salt[index % salt.length] ?? 0)));
  packets.write(publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING }, mixed));
}

const knownPlugin = (name: string): string => (name === "caching_sha2_password" ? name : "mysql_native_password");

function proofOf(plugin: string, password: string, salt: Buffer): Buffer {
  if (password === "") return Buffer.alloc(0);
  const hash = (...parts: readonly (string | Buffer)[]): Buffer => {
    const made = createHash(knownPlugin(plugin) === "caching_sha2_password" ? "sha256" : "sha1");
    for (const part of parts) made.update(part);
    return made.digest();
  };
  const once = hash(password);
  const twice = hash(once);
  const mask = knownPlugin(plugin) === "caching_sha2_password" ? hash(twice, salt) : hash(salt, twice);
  return Buffer.from(once.map((byte, index) => byte ^ (mask[index] ?? 0)));
}

function head({ database }: Who, { secure }: { readonly secure: boolean }): Buffer {
  const bytes = Buffer.alloc(32);
  const more = (database === "" ? 0 : flags.connectWithDb) | (secure ? flags.ssl : 0);
  bytes.writeUInt32LE(flags.longPassword | flags.protocol41 | flags.secureConnection | flags.pluginAuth | more, 0);
  bytes.writeUInt32LE(maxPacketBytes, 4);
  bytes[8] = utf8mb4;
  return bytes;
}
