import { sh } from "../shell.ts";
import type { Step } from "../step.ts";

/** Who gets in, and by which door. Last, because it can end the session that does it. */
export const access: readonly Step[] = [
  {
    id: "ssh",
    title: "SSH with keys only",
    why: "Passwords are guessed day and night. Refused when no key would be left for whoever runs this; taken back by itself when a new login does not work.",
    needs: ["user"],
    parts: sh`
      ssh_file=/etc/ssh/sshd_config.d/10-slipway.conf
      # sshd takes the first value it meets, so what is stricter already stays: root's line is only written against "yes".
      ssh_text() {
        echo "# $mark"
        echo "PasswordAuthentication no"
        echo "KbdInteractiveAuthentication no"
        if [ "$(ssh_value permitrootlogin)" = yes ] || grep -qs '^PermitRootLogin' "$ssh_file"; then
          echo "PermitRootLogin prohibit-password"
        fi
      }
      # sshd -T wants its runtime directory, which is not there while only systemd's socket listens.
      ssh_all() { mkdir -p /run/sshd && sshd -T -C "user=$1,host=localhost,addr=127.0.0.1" 2>/dev/null; }
      ssh_value() { ssh_all "$(session_user)" | sed -n "s/^$1 //p" | head -n 1; }
      # Keys by which a user can log in, counted; files that sshd would refuse for their rights do not count.
      usable_keys() {
        home=$(home_of "$1")
        ssh_all "$1" | sed -n 's/^authorizedkeysfile //p' | tr ' ' '\n' | while read -r file; do
          case $file in none) continue ;; /*) ;; *) file="$home/$file" ;; esac
          file=$(echo "$file" | sed "s|%h|$home|g; s|%u|$1|g")
          [ -s "$file" ] || continue
          [ -z "$(find "$file" "$(dirname "$file")" "$home" -maxdepth 0 -perm /022)" ] || continue
          ssh-keygen -lf "$file" 2>/dev/null
        done | grep -c .
      }
      ssh_by_other_means() {
        [ "$(ssh_value authorizedkeyscommand)" != none ] || [ "$(ssh_value trustedusercakeys)" != none ]
      }
      ssh_reload() {
        if has_systemd; then
          # With a socket unit every connection starts an sshd that reads its files anew.
          systemctl try-reload-or-restart ssh.service
        elif [ -s /run/sshd.pid ]; then
          kill -HUP "$(cat /run/sshd.pid)"
        fi
      }
    `,
    check: sh`
      if ! have sshd; then
        note "no sshd is installed"
        return
      fi
      if ! ssh_all root >/dev/null; then
        refused "sshd refuses its own configuration" "see: sshd -t"
        return
      fi
      if [ "$(ssh_value passwordauthentication)" = no ] && [ "$(ssh_value kbdinteractiveauthentication)" = no ] && [ "$(ssh_value permitrootlogin)" != yes ]; then
        ok "keys only; root: $(ssh_value permitrootlogin)"
      elif [ -e "$ssh_file" ] && same "$ssh_file" ssh_text; then
        where=$(grep -ilsE '^[[:space:]]*(PasswordAuthentication|KbdInteractiveAuthentication|ChallengeResponseAuthentication|PermitRootLogin|Match)' /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*.conf | grep -vxF "$ssh_file" | tr '\n' ' ')
        blocked "passwords are still taken, by somebody's setting" "it is not ours to change: \${where:-/etc/ssh/sshd_config}"
      elif ! grep -qsiE '^[[:space:]]*Include[[:space:]]+/etc/ssh/sshd_config\.d/' /etc/ssh/sshd_config; then
        blocked "passwords are taken, and /etc/ssh/sshd_config does not include sshd_config.d" "add as its first line: Include /etc/ssh/sshd_config.d/*.conf"
      else
        who=$(session_user)
        if [ "$(usable_keys "$who")" = 0 ] && ! ssh_by_other_means; then
          refused "no key would be left for $who: nobody could log in as it any more" "add one first: ssh-copy-id $who@<host>"
        fi
        missing "passwords are taken (password: $(ssh_value passwordauthentication), keyboard-interactive: $(ssh_value kbdinteractiveauthentication), root: $(ssh_value permitrootlogin))"
      fi
      unconfirmed ssh
      for list in allowusers allowgroups denyusers; do
        value=$(ssh_all "$deploy_user" | sed -n "s/^$list //p" | tr '\n' ' ')
        [ -z "$value" ] || note "sshd has $list $value: may $deploy_user log in?"
      done
    `,
    apply: sh`
      who=$(session_user)
      if [ "$(usable_keys "$who")" = 0 ] && ! ssh_by_other_means; then
        echo "no key would be left for $who; nothing is changed" >&2
        return 1
      fi
      undo_later ssh "$(
        if has_systemd; then echo 'systemctl try-reload-or-restart ssh.service'; else echo 'kill -HUP "$(cat /run/sshd.pid)"'; fi
      )" "$ssh_file"
      put "$ssh_file" ssh_text
      if ! sshd -t; then
        sh "$room/undo-ssh"
        echo "sshd refuses the new configuration; it is taken back" >&2
        return 1
      fi
      ssh_reload
    `,
  },
  {
    id: "firewall",
    title: "Firewall",
    why: "Only SSH, HTTP and HTTPS answer from outside, also for ports that containers publish, which pass by most firewalls. In a table of our own; every other table stays. Taken back by itself when a new login does not work.",
    needs: ["system"],
    parts: sh`
      wall_file=/etc/slipway/firewall.nft
      wall_unit=/etc/systemd/system/slipway-firewall.service
      # Every port on which sshd or its socket unit answers, and the one that carries this session.
      ssh_ports() {
        {
          have sshd && ssh_all root | sed -n 's/^port //p'
          ss -Hlntp 2>/dev/null | grep '"sshd"' | awk '{ sub(/.*:/, "", $4); print $4 }'
          if has_systemd && systemctl is-active --quiet ssh.socket; then
            systemctl show -p Listen --value ssh.socket | sed -n 's/^.*:\([0-9]*\) (Stream)$/\1/p'
          fi
          echo "\${SSH_CONNECTION:-}" | awk 'NF == 4 { print $4 }'
        } | grep -x '[0-9]\{1,5\}' | sort -nu
      }
      commas() { tr '\n' ' ' | sed 's/ *$//; s/  */, /g'; }
      open_tcp_now() { { ssh_ports; printf '%s\n' 80 443; printf '%s' "$open_tcp" | tr ' ' '\n'; } | grep . | sort -nu | commas; }
      open_udp_now() { { echo 443; printf '%s' "$open_udp" | tr ' ' '\n'; } | grep . | sort -nu | commas; }
      ufw_is_on() { have ufw && ufw status 2>/dev/null | grep -qx 'Status: active'; }
      wall_text() {
        echo "# $mark"
        # Made anew as one transaction: there is no moment without rules.
        echo "table inet slipway"
        echo "delete table inet slipway"
        echo "table inet slipway {"
        ufw_is_on || {
          cat <<EOF
        chain input {
          type filter hook input priority 0; policy drop;
          ct state established,related accept
          iif lo accept
          iifname "docker0" accept
          iifname "docker_gwbridge" accept
          iifname "br-*" accept
          meta l4proto { icmp, ipv6-icmp } accept
          udp dport 546 ip6 saddr fe80::/10 accept comment "DHCPv6"
          tcp dport { $(open_tcp_now) } accept
          udp dport { $(open_udp_now) } accept
      $(wall_trusted)
        }
      EOF
        }
        cat <<EOF
        # What the engine publishes is forwarded before any input chain sees it.
        chain forward {
          type filter hook forward priority -5; policy accept;
          ct state established,related accept
          iifname "docker0" accept
          iifname "docker_gwbridge" accept
          iifname "br-*" accept
      $(wall_trusted)
          meta l4proto tcp ct original proto-dst { $(open_tcp_now) } accept
          meta l4proto udp ct original proto-dst { $(open_udp_now) } accept
          oifname "docker0" ct status dnat drop
          oifname "docker_gwbridge" ct status dnat drop
          oifname "br-*" ct status dnat drop
        }
      }
      EOF
      }
      wall_trusted() {
        for range in $trust_v4; do echo "    ip saddr $range accept"; done
        for range in $trust_v6; do echo "    ip6 saddr $range accept"; done
      }
      wall_unit_text() {
        cat <<EOF
      # $mark
      [Unit]
      Description=Slipway firewall (table inet slipway)
      Wants=network-pre.target
      Before=network-pre.target
      After=nftables.service
      DefaultDependencies=no
      [Service]
      Type=oneshot
      RemainAfterExit=yes
      ExecStart=/usr/sbin/nft -f $wall_file
      ExecReload=/usr/sbin/nft -f $wall_file
      ExecStop=-/usr/sbin/nft delete table inet slipway
      [Install]
      WantedBy=sysinit.target
      EOF
      }
      # Debian's own unit flushes every table when it starts and reloads.
      wall_after=/etc/systemd/system/nftables.service.d/slipway.conf
      wall_after_text() {
        cat <<EOF
      # $mark
      [Service]
      ExecStartPost=-/usr/sbin/nft -f $wall_file
      ExecReload=-/usr/sbin/nft -f $wall_file
      EOF
      }
      wall_in_force() { nft list table inet slipway >/dev/null 2>&1; }
      # What answers from outside today and will not any more.
      closing() {
        {
          ss -Hlntu 2>/dev/null | awk '{ print $1 " " $5 }' | grep -vE ' (127\.|\[::1\]|[^ ]*%lo:)' | sed 's/ .*:/ /'
          have docker && timeout 20 docker ps --format '{{.Ports}}' 2>/dev/null | tr ',' '\n' |
            sed -n 's/^ *\(0\.0\.0\.0\|\[::\]\):\([0-9]*\)->[0-9]*\/\([a-z]*\)$/\3 \2/p'
        } | sort -u | while read -r protocol port; do
          case $protocol in
            tcp) opened=", $(open_tcp_now), " ;;
            # DHCP clients and the like answer nobody; what listens for clients has a low port.
            udp) opened=", $(open_udp_now), 68, 546, 323, " ;;
            *) continue ;;
          esac
          case $opened in *", $port, "*) ;; *) echo "$port/$protocol" ;; esac
        done | tr '\n' ' '
      }
      ufw_lacks() {
        status=$(ufw status)
        for port in $(ssh_ports) 80 443 $open_tcp; do
          echo "$status" | grep -qE "^$port(/tcp)? +(ALLOW|LIMIT)" || echo "$port/tcp"
        done
        for port in 443 $open_udp; do
          echo "$status" | grep -qE "^$port(/udp)? +ALLOW" || echo "$port/udp"
        done
        for range in $trust_v4 $trust_v6; do
          echo "$status" | grep -qF "$range" || echo "from:$range"
        done
      }
    `,
    check: sh`
      if have firewall-cmd && firewall-cmd --state >/dev/null 2>&1; then
        blocked "firewalld is in force; it is not ours to change" "open there: firewall-cmd --permanent --add-service=ssh --add-service=http --add-service=https"
        return
      fi
      if [ -z "$(ssh_ports)" ]; then
        blocked "no port of SSH was found, so a firewall could lock everybody out" "is sshd running?"
        return
      fi
      if ufw_is_on; then
        lacks=$(ufw_lacks | tr '\n' ' ')
        if [ -z "$lacks" ]; then ok "ufw lets in: $(open_tcp_now)"; else missing "ufw does not let in: $lacks"; fi
      fi
      if ! have nft; then
        missing "nftables is not installed"
      elif [ ! -e "$wall_file" ]; then
        missing "nothing keeps the world out; open will be: $(open_tcp_now)"
      elif ! same "$wall_file" wall_text; then
        missing "open should be: $(open_tcp_now)"
      elif ! wall_in_force; then
        missing "the rules are written and not in force"
      else
        ok "open: $(open_tcp_now), and UDP $(open_udp_now)"
      fi
      if [ ! -e "$wall_file" ]; then
        closes=$(closing)
        [ -z "$closes" ] || note "answers from outside today, and will not: $closes" "to keep one: --open <port>; for the other hosts of the environment: --trust <range>"
      fi
      if has_systemd; then
        if systemctl is-enabled --quiet slipway-firewall 2>/dev/null && [ -e "$wall_after" ]; then ok "it is there after a boot"; else missing "it would be gone after a boot"; fi
      elif [ -e "$wall_file" ]; then
        blocked "without systemd the rules are gone after a boot" "load $wall_file at boot: nft -f $wall_file"
      fi
      if have nft; then
        others=$(nft list chains 2>/dev/null | awk '/^table/ { table = $2 " " $3 } /hook input/ && /policy drop/ && table != "inet slipway" { print table }' | sort -u | tr '\n' ' ')
        [ -z "$others" ] || note "another table drops what it does not know: $others" "does it let in 80 and 443 too?"
      fi
      unconfirmed firewall
    `,
    apply: sh`
      have nft || apt_install nftables
      have ss || apt_install iproute2
      if ufw_is_on; then
        # Only ever opens, so it cannot lock anybody out.
        for what in $(ufw_lacks); do
          case $what in
            from:*) ufw allow from "$(echo "$what" | sed 's/^from://')" comment slipway ;;
            *) ufw allow "$what" comment slipway ;;
          esac
        done
      fi
      mkdir -p "$(dirname "$wall_file")"
      wall_text >"$work/firewall.nft"
      nft -c -f "$work/firewall.nft"
      undo_later firewall "if [ -e $wall_file ]; then nft -f $wall_file; else nft delete table inet slipway; fi" "$wall_file"
      put "$wall_file" wall_text
      if has_systemd; then
        put "$wall_unit" wall_unit_text
        put "$wall_after" wall_after_text
        systemctl daemon-reload
        systemctl enable slipway-firewall
        systemctl reload-or-restart slipway-firewall
      else
        nft -f "$wall_file"
      fi
    `,
  },
];
