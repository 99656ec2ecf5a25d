import { sh } from "../shell.ts";
import type { Step } from "../step.ts";

/** What runs the product, and as whom: the container engine, the deploy user, the edge. */
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
    id: "user",
    title: "Deploy user",
    why: "Slipway logs in as it: no password, no sudo, only the engine. Who may use the engine can become root on this host, so guard its keys like root's; a rootless engine would hide clients' addresses and slow every connection.",
    needs: ["system"],
    parts: sh`
      # Keys without options in front: those would bind the deploy user to what somebody else's key may do.
      plain_keys() { grep -E '^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com) [A-Za-z0-9+/]+=*( |$)'; }
      wanted_keys() {
        if [ -n "$deploy_keys" ]; then
          printf '%s\n' "$deploy_keys"
        else
          plain_keys <"$(home_of "$(session_user)")/.ssh/authorized_keys" 2>/dev/null
        fi
      }
      deploy_keys_file() { echo "$(home_of "$deploy_user")/.ssh/authorized_keys"; }
      # Keys that may not log in yet, whole lines.
      lacking_keys() {
        wanted_keys | while read -r type key comment; do
          grep -qsF "$type $key" "$(deploy_keys_file)" || printf '%s\n' "$type $key\${comment:+ $comment}"
        done
      }
    `,
    check: sh`
      if ! id "$deploy_user" >/dev/null 2>&1; then
        missing "there is no user $deploy_user"
        [ -n "$(wanted_keys)" ] || refused "no key could log in as $deploy_user: $(session_user) has none here either" "pass one: --key ~/.ssh/id_ed25519.pub"
        return
      fi
      [ "$(id -u "$deploy_user")" != 0 ] || refused "$deploy_user is root under another name" "choose another: --user <name>"
      groups=" $(id -Gn "$deploy_user") "
      case $groups in
        *" docker "*) ok "$deploy_user may use the engine (which is as much as root)" ;;
        *) missing "$deploy_user may not use the engine" ;;
      esac
      case $groups in *" sudo "* | *" admin "* | *" wheel "*) note "$deploy_user may use sudo, by somebody's choice" "it does not need to: gpasswd -d $deploy_user sudo" ;; esac
      if [ -n "$(lacking_keys)" ]; then
        missing "$(lacking_keys | grep -c .) keys cannot log in as $deploy_user yet"
      elif [ ! -s "$(deploy_keys_file)" ]; then
        refused "no key may log in as $deploy_user" "pass one: --key ~/.ssh/id_ed25519.pub"
      else
        ok "$(grep -c '^[^#]' "$(deploy_keys_file)") keys may log in as $deploy_user"
      fi
    `,
    apply: sh`
      # The password stays locked: keys are the only way in.
      id "$deploy_user" >/dev/null 2>&1 || useradd --create-home --shell /bin/bash --comment 'Slipway deployments' "$deploy_user"
      getent group docker >/dev/null || groupadd --system docker
      usermod --append --groups docker "$deploy_user"
      home=$(home_of "$deploy_user")
      group=$(id -gn "$deploy_user")
      [ -d "$home/.ssh" ] || { mkdir "$home/.ssh" && chmod 700 "$home/.ssh" && chown "$deploy_user:$group" "$home/.ssh"; }
      lacking=$(lacking_keys)
      if [ -n "$lacking" ]; then
        file=$(deploy_keys_file)
        { [ ! -e "$file" ] || cat "$file"; echo "$lacking"; } >"$file.slipway-new"
        chmod 600 "$file.slipway-new"
        chown "$deploy_user:$group" "$file.slipway-new"
        mv -f "$file.slipway-new" "$file"
        echo "added $(echo "$lacking" | grep -c .) keys to $file"
      fi
    `,
  },
  {
    id: "edge",
    title: "Caddy",
    why: "Takes the public traffic with real TLS. 2.8 is the first that can switch without a reload; Debian 12 and 13 and Ubuntu 24.04 have 2.6.2.",
    needs: ["packages", "user"],
    parts: sh`
      edge_oldest=2.8
      edge_room=/var/lib/slipway/edge
      edge_unit=/etc/systemd/system/slipway-edge.service
      edge_path=/etc/systemd/system/slipway-edge.path
      # As the deploy user, who writes its configuration: no root, only the ports below 1024.
      edge_unit_text() {
        cat <<EOF
      # $mark
      [Unit]
      Description=Slipway edge (Caddy)
      Wants=network-online.target
      After=network-online.target
      ConditionPathExists=$edge_room/caddy.json
      StartLimitIntervalSec=0
      [Service]
      User=$deploy_user
      ExecStart=$(command -v caddy) run --config $edge_room/caddy.json
      Restart=always
      RestartSec=1
      LimitNOFILE=1048576
      AmbientCapabilities=CAP_NET_BIND_SERVICE
      CapabilityBoundingSet=CAP_NET_BIND_SERVICE
      NoNewPrivileges=yes
      ProtectSystem=full
      [Install]
      WantedBy=multi-user.target
      EOF
      }
      # Starts it when there is a configuration, without anybody being root.
      edge_path_text() {
        cat <<EOF
      # $mark
      [Unit]
      Description=Slipway edge: starts with its configuration
      [Path]
      PathExists=$edge_room/caddy.json
      [Install]
      WantedBy=multi-user.target
      EOF
      }
      # The package's own service, with its welcome page and nothing else: it only holds port 80.
      welcome_runs() { systemctl is-active --quiet caddy && installed caddy && ! dpkg --verify caddy | grep -q /etc/caddy/Caddyfile; }
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
          elif ! running slipway-edge.path || ! same "$edge_unit" edge_unit_text || [ ! -d "$edge_room" ]; then
            missing "nothing starts Caddy on Slipway's configuration"
          else
            ok "it runs as $deploy_user, with $edge_room/caddy.json"
          fi
          if has_systemd && welcome_runs; then
            missing "caddy.service shows its welcome page on port 80, where Slipway's Caddy should be"
          elif has_systemd && systemctl is-active --quiet caddy; then
            note "caddy.service runs with somebody's own configuration, and may hold 80 and 443" "move its sites, then: systemctl disable --now caddy"
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
      mkdir -p "$edge_room"
      chmod 700 "$edge_room"
      chown "$deploy_user:" "$edge_room"
      has_systemd || return 0
      if welcome_runs; then
        systemctl disable --now caddy
      fi
      put "$edge_unit" edge_unit_text
      put "$edge_path" edge_path_text
      systemctl daemon-reload
      systemctl enable slipway-edge.service
      systemctl enable --now slipway-edge.path
    `,
  },
];
