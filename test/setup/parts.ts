import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** Tests that run a real part which a machine with only git and Node does not have. */
type Part = {
  readonly what: string;
  readonly root: boolean;
  readonly programs: readonly string[];
  /** In Debian. */
  readonly packages: readonly string[];
  readonly tests: readonly string[];
};

const hostPrograms = [
  "dockerd",
  "containerd",
  "runc",
  "iptables",
  "ip",
  "sshd",
  "busybox",
  "tini",
  "docker-registry",
  "htpasswd",
];
const hostPackages = [
  ...["docker.io", "containerd", "runc", "iptables", "iproute2", "openssh-server", "openssh-client", "busybox-static"],
  ...["tini", "docker-registry", "apache2-utils", "openssl", "redis-tools", "redis-server", "python3", "python3-venv"],
];

const parts: readonly Part[] = [
  {
    what: "container engines, registries and hosts",
    root: true,
    programs: [...hostPrograms, "openssl"],
    packages: hostPackages,
    tests: [
      "src/testing/hosts/**",
      "src/lib/docker/**",
      "src/lib/oci/ship.test.ts",
      "src/drivers/registries/**",
      "src/drivers/builders/docker/{build-host,docker-builder}.test.ts",
      "src/drivers/targets/docker/{local,newest,ssh,trouble}.test.ts",
      "src/drivers/edges/caddy/ssh-place.test.ts",
      "test/docker/**",
      "test/synth/dockerfiles.test.ts",
    ],
  },
  {
    what: "databases",
    root: true,
    programs: [
      "redis-server",
      "psql",
      "mariadbd",
      "mariadb-install-db",
      "prometheus",
      "promtool",
      "setpriv",
      "openssl",
    ],
    packages: ["redis-server", "postgresql", "mariadb-server", "prometheus", "util-linux", "openssl"],
    tests: [
      "src/drivers/probes/{postgres,mysql,redis,queue}/*.test.ts",
      "src/drivers/metrics/*.test.ts",
      "test/{metrics,prometheus}.test.ts",
      "test/preview-database.test.ts",
    ],
  },
  {
    what: "SSH",
    root: true,
    programs: ["sshd", "ssh", "ssh-keygen"],
    packages: ["openssh-server", "openssh-client"],
    tests: ["src/lib/ssh/**"],
  },
  {
    what: "TLS with certificates made for the test",
    root: false,
    programs: ["openssl"],
    packages: ["openssl"],
    tests: ["src/drivers/edges/embedded/{conformance-tls,tls,http2}.test.ts", "test/scenario/certificates.test.ts"],
  },
  {
    what: "certificates from an ACME server",
    root: false,
    programs: ["pebble", "openssl"],
    packages: ["pebble", "openssl"],
    tests: ["src/drivers/edges/embedded/acme/**", "src/drivers/edges/caddy/acme.test.ts"],
  },
  {
    what: "Caddy, unpacked from Debian's archive",
    root: false,
    programs: ["apt-get", "dpkg-deb", "openssl"],
    packages: ["openssl"],
    tests: ["src/testing/caddy.test.ts", "src/drivers/edges/caddy/**", "test/down.test.ts"],
  },
  {
    what: "those who read what synth writes: Caddy, Groovy, Compose, shellcheck",
    root: false,
    programs: ["apt-get", "dpkg-deb", "java", "shellcheck", "curl", "dash"],
    packages: ["default-jre-headless", "shellcheck", "curl"],
    tests: ["test/synth/{judged,jenkins}.test.ts"],
  },
  {
    what: "docker compose on an engine, with a Redis and a PostgreSQL as images",
    root: true,
    programs: [...hostPrograms, "docker", "redis-cli", "redis-check-rdb", "psql"],
    packages: [...hostPackages, "docker-cli", "docker-compose", "postgresql"],
    tests: ["test/synth/integration.test.ts"],
  },
  {
    what: "the dashboard in a browser",
    root: false,
    programs: ["chromium"],
    packages: ["chromium"],
    tests: ["test/dashboard.test.ts"],
  },
  {
    what: "machines that are made ready",
    root: true,
    programs: ["mmdebstrap", "systemd-nspawn", "shellcheck", "ssh", "gpg", "ip"],
    packages: ["mmdebstrap", "systemd-container", "shellcheck", "openssh-client", "gpg", "iproute2"],
    tests: ["src/engine/server/**", "src/cli/commands/server.test.ts", "src/core/server/script.test.ts"],
  },
];

/**
 * The tests that cannot run here, after saying so with what to install. In CI there are none: a missing part is a failure there.
 */
export function testsWithoutTheirPart(): string[] {
  if (process.env.CI !== undefined) return [];
  const isRoot = process.getuid?.() === 0;
  const missing = parts.filter(({ root, programs }) => (root && !isRoot) || !programs.every(isThere));
  if (missing.length > 0) {
    const packages = [...new Set(missing.flatMap((part) => part.packages))];
    const lines = [
      ...missing.map(({ what, root }) => `  not run here: tests with ${what}${root && !isRoot ? " (as root)" : ""}`),
      `  to run them, on Debian as root: apt-get install --yes ${packages.join(" ")}`,
    ];
    process.stderr.write(`\n${lines.join("\n")}\n\n`);
  }
  return missing.flatMap(({ tests }) => tests);
}

/** Debian keeps daemons in `sbin`, which a user's PATH often lacks. */
const places = [process.env.PATH ?? "", "/usr/local/sbin", "/usr/sbin", "/sbin"].join(delimiter).split(delimiter);

function isThere(program: string): boolean {
  return places.some((place) => {
    try {
      accessSync(join(place, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
