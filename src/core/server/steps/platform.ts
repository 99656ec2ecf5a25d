import { sh } from "../shell.ts";
import type { Step } from "../step.ts";

/** What runs the product: the container engine and the edge. */
export const platform: readonly Step[] = [
  {
    id: "engine",
    title: "Container engine",
    why: "Releases run as containers. A Docker that is there and new enough stays; else the distribution's, which gets its security updates.",
    needs: ["packages", "logs"],
    parts: sh`
      engine_oldest=20.10
      engine_version() { timeout 20 docker version --format '{{.Server.Version}}' 2>/dev/null; }
    `,
    check: sh`
      if ! have docker || ! have dockerd; then
        if installed podman-docker; then
          blocked "docker here is podman's" "remove podman-docker, or use another host"
        else
          missing "there is no container engine"
        fi
        return
      fi
      version=$(engine_version)
      if [ -z "$version" ]; then
        if has_systemd; then missing "docker is installed and does not answer"; else blocked "docker is installed and does not answer; without systemd nothing starts it" "start dockerd by this machine's own means"; fi
      elif ! at_least "$version" "$engine_oldest"; then
        blocked "Docker $version is older than $engine_oldest" "upgrade it the way it was installed"
      else
        ok "Docker $version"
      fi
      if has_systemd; then
        if systemctl is-enabled --quiet docker 2>/dev/null; then ok "it starts at boot"; else missing "docker does not start at boot"; fi
      fi
    `,
    apply: sh`
      if ! have docker || ! have dockerd; then
        apt_update
        set -- docker.io iptables
        # Debian 13 has the command apart from the engine.
        [ -z "$(candidate_of docker-cli)" ] || set -- "$@" docker-cli
        # Where the kernel enforces AppArmor, the engine needs its parser.
        [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" != Y ] || set -- "$@" apparmor
        apt_install "$@"
      fi
      if has_systemd; then
        # After too many failed starts systemd tries no more.
        systemctl reset-failed docker.service docker.socket 2>/dev/null || true
        systemctl enable --now docker
      fi
    `,
  },
  {
    id: "edge",
    title: "Caddy",
    why: "Takes the public traffic with real TLS. 2.8 is the first that can switch without a reload; Debian 12 and 13 and Ubuntu 24.04 have 2.6.2.",
    needs: ["packages"],
    parts: sh`
      edge_oldest=2.8
      edge_list=/etc/apt/sources.list.d/slipway-caddy.sources
      edge_keyring=/etc/apt/keyrings/slipway-caddy.asc
      edge_version() { caddy version 2>/dev/null | sed -n 's/^v\{0,1\}\([0-9][0-9.]*\).*/\1/p' | head -n 1; }
      # As dpkg compares: without epoch and revision.
      edge_candidate() { candidate_of caddy | sed 's/^[0-9]*://; s/[-~+].*//'; }
      edge_sources() {
        cat <<EOF
      # $mark
      Types: deb
      URIs: $edge_url
      Suites: any-version
      Components: main
      Signed-By: $edge_keyring
      EOF
      }
      # Of whoever has no apt lists yet: reads them into a directory of this run, so that a check changes nothing.
      edge_candidate_now() {
        found=$(edge_candidate)
        if [ -z "$found" ]; then
          mkdir -p "$work/lists/partial"
          apt-get -q -o Dir::State::lists="$work/lists" update >/dev/null 2>&1 || true
          found=$(apt-cache -o Dir::State::lists="$work/lists" -o Dir::Cache="$work" policy caddy 2>/dev/null |
            sed -n 's/^  Candidate: //p' | sed 's/^[0-9]*://; s/[-~+].*//' | grep -vx '(none)')
        fi
        echo "$found"
      }
      edge_choices="choose: --caddy official (Caddy's own apt repository, key $edge_fingerprint), --caddy-mirror <url> --caddy-key <file>, or --caddy none (the embedded edge, or Caddy in a container)"
    `,
    check: sh`
      if have caddy; then
        version=$(edge_version)
        if at_least "\${version:-0}" "$edge_oldest"; then
          ok "Caddy $version"
          if ! has_systemd; then
            blocked "without systemd nothing starts Caddy" "start it by this machine's own means"
          elif running caddy; then
            ok "it runs, also after a boot"
          elif systemctl cat caddy.service >/dev/null 2>&1; then
            missing "caddy.service does not run"
          else
            note "there is no caddy.service: it is started by other means"
          fi
          return
        fi
        have="Caddy \${version:-of unknown version} is too old"
      else
        have="there is no Caddy"
      fi
      case $edge_source in
        none) ok "$have, and none is wanted" ;;
        repository) missing "$have; it will come from $edge_url" ;;
        distribution)
          candidate=$(edge_candidate_now)
          if [ -z "$candidate" ]; then
            refused "$have, and apt here knows none" "$edge_choices"
          elif at_least "$candidate" "$edge_oldest"; then
            missing "$have; the distribution has $candidate"
          else
            refused "$have; the distribution's is $candidate, older than $edge_oldest" "$edge_choices"
          fi
          ;;
      esac
    `,
    apply: sh`
      if ! have caddy || ! at_least "$(edge_version)" "$edge_oldest"; then
        if [ "$edge_source" = repository ]; then
          mkdir -p "$(dirname "$edge_keyring")"
          if [ -n "$edge_fingerprint" ]; then
            have gpg || apt_install gpg
            /usr/lib/apt/apt-helper download-file "$edge_key_url" "$work/caddy-key"
            seen=$(gpg --batch --homedir "$work" --show-keys --with-colons "$work/caddy-key" 2>/dev/null | awk -F: '$1 == "fpr" { print $10; exit }')
            if [ "$seen" != "$edge_fingerprint" ]; then
              echo "the key of $edge_url is \${seen:-not a key}, not $edge_fingerprint; it is not used" >&2
              return 1
            fi
            cat "$work/caddy-key" >"$edge_keyring"
          else
            edge_key >"$edge_keyring"
          fi
          put "$edge_list" edge_sources
          rm -f "$work/apt-updated"
        fi
        apt_install caddy
      fi
      if has_systemd && systemctl cat caddy.service >/dev/null 2>&1; then
        systemctl enable --now caddy
      fi
    `,
  },
];
