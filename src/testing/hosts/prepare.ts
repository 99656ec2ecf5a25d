/**
 * A program: gets and makes beforehand what tests on real engines take from the cache, so that no test waits for a download.
 * `node dist/testing/hosts/prepare.js`, as root.
 */
import { newestEngine } from "./newest-engine.ts";
import { nodeLayer } from "./node-image.ts";
import { needPrograms, run } from "./parts.ts";
import { shellLayer } from "./shell-image.ts";

needPrograms(
  ...["dockerd", "containerd", "runc", "iptables", "ip", "sshd", "ssh", "ssh-keygen", "busybox", "docker-registry"],
  ...["htpasswd", "openssl", "setpriv", "unshare", "nsenter", "tini", "apt-get", "dpkg-deb"],
);
const [{ path }] = await Promise.all([newestEngine(), nodeLayer(), shellLayer()]);
console.log((await run([`${path[0]}/dockerd`, "--version"])).trim());
