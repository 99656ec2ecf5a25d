import { sh } from "../shell.ts";
import type { Step } from "../step.ts";

/** Packages, time, updates, logs, kernel and swap. */
export const system: readonly Step[] = [
  {
    id: "packages",
    title: "Packages in order",
    why: "An installation that was cut off must be ended before the next, and HTTPS needs the certificates of the authorities.",
    needs: ["system", "disk"],
    check: sh`
      if [ -n "$(dpkg --audit)" ]; then missing "dpkg was stopped in the middle of its work"; else ok "dpkg has nothing half done"; fi
      if installed ca-certificates; then ok "ca-certificates"; else missing "ca-certificates is not installed"; fi
    `,
    apply: sh`
      apt_install ca-certificates
    `,
  },
  {
    id: "clock",
    title: "The clock is kept right",
    why: "Certificates, tokens and the order of log lines depend on the time.",
    needs: ["packages"],
    parts: sh`
      time_service() {
        for unit in chrony chronyd ntpsec ntp openntpd systemd-timesyncd; do
          if systemctl cat "$unit.service" >/dev/null 2>&1 && systemctl is-enabled --quiet "$unit" 2>/dev/null; then
            echo "$unit"
            return
          fi
        done
      }
    `,
    check: sh`
      if ! has_systemd; then
        if installed systemd-timesyncd || installed chrony || installed ntpsec; then
          note "a time service is installed; without systemd nobody sees whether it runs"
        else
          missing "no time service is installed"
        fi
        return
      fi
      unit=$(time_service)
      if [ -z "$unit" ]; then
        missing "no time service is enabled"
      elif systemctl is-active --quiet "$unit"; then
        if [ "$(timedatectl show -p NTPSynchronized --value 2>/dev/null)" = yes ]; then
          ok "$unit, and the clock is synchronised"
        else
          note "$unit runs; the clock is not synchronised yet" "it needs UDP port 123 out"
        fi
      elif [ "$(systemctl show -p ConditionResult --value "$unit")" = no ] && systemd-detect-virt --quiet --container; then
        note "$unit is enabled; in a container the clock is the host's"
      else
        missing "$unit is enabled and does not run"
      fi
    `,
    apply: sh`
      if ! has_systemd; then
        apt_install systemd-timesyncd
        return
      fi
      [ -n "$(time_service)" ] || apt_install systemd-timesyncd
      unit=$(time_service)
      systemctl enable --now "\${unit:-systemd-timesyncd}"
    `,
  },
  {
    id: "updates",
    title: "Security updates by themselves",
    why: "Most servers that are taken over had a fix waiting for weeks. Only security updates, and never a reboot by itself.",
    needs: ["packages"],
    parts: sh`
      updates_file=/etc/apt/apt.conf.d/52slipway-updates
      updates_text() {
        cat <<EOF
      // $mark
      APT::Periodic::Update-Package-Lists "1";
      APT::Periodic::Unattended-Upgrade "1";
      // Without end a full /boot or /var stops the next update.
      APT::Periodic::AutocleanInterval "7";
      Unattended-Upgrade::Remove-Unused-Kernel-Packages "true";
      EOF
      }
      # apt_value <key>: as apt reads it from all its files.
      apt_value() { apt-config shell value "$1" | sed "s/^value='\(.*\)'$/\1/"; }
    `,
    check: sh`
      if ! installed unattended-upgrades; then
        missing "unattended-upgrades is not installed"
      elif [ "$(apt_value APT::Periodic::Unattended-Upgrade)" = 1 ] && [ "$(apt_value APT::Periodic::Update-Package-Lists)" = 1 ]; then
        ok "unattended-upgrades runs daily"
      elif [ -e "$updates_file" ] && same "$updates_file" updates_text; then
        blocked "a later file than $updates_file in /etc/apt/apt.conf.d switches unattended upgrades off" "look: grep -r Periodic /etc/apt/apt.conf.d"
      else
        missing "unattended-upgrades is installed and not switched on"
      fi
      if has_systemd; then
        for timer in apt-daily.timer apt-daily-upgrade.timer; do
          if running "$timer"; then ok "$timer"; else missing "$timer is off"; fi
        done
      else
        blocked "without systemd nothing starts the daily updates" "start unattended-upgrade from cron"
      fi
      if [ -e /run/reboot-required ]; then
        note "an update waits for a reboot" "choose a moment: systemctl reboot"
      fi
    `,
    apply: sh`
      installed unattended-upgrades || apt_install unattended-upgrades
      if [ "$(apt_value APT::Periodic::Unattended-Upgrade)" != 1 ] || [ "$(apt_value APT::Periodic::Update-Package-Lists)" != 1 ]; then
        put "$updates_file" updates_text
      fi
      if has_systemd; then
        systemctl enable --now apt-daily.timer apt-daily-upgrade.timer
      fi
    `,
  },
  {
    id: "logs",
    title: "Logs that cannot fill the disk",
    why: "A container that repeats one error fills a disk in a night. The journal and the engine's logs get an end.",
    needs: ["packages"],
    parts: sh`
      journal_file=/etc/systemd/journald.conf.d/60-slipway.conf
      journal_text() {
        cat <<EOF
      # $mark
      [Journal]
      SystemMaxUse=1G
      SystemKeepFree=1G
      EOF
      }
      # JSON has no comments, so what is exactly this is ours.
      engine_file=/etc/docker/daemon.json
      engine_text() {
        cat <<EOF
      {
        "log-driver": "local",
        "log-opts": { "max-size": "10m", "max-file": "5" },
        "live-restore": true
      }
      EOF
      }
      # Does the journal have an end already, by anybody's setting?
      journal_ends() {
        { cat /etc/systemd/journald.conf /etc/systemd/journald.conf.d/*.conf 2>/dev/null || true; } | grep -q '^SystemMaxUse=[0-9]'
      }
    `,
    check: sh`
      if journal_ends; then ok "the journal has an end"; else missing "the journal may take a tenth of the disk"; fi
      if [ ! -e "$engine_file" ]; then
        missing "the engine's logs have no end by default"
      elif same "$engine_file" engine_text; then
        ok "the engine's logs rotate, and containers live through its restart"
      elif grep -q '"max-size"' "$engine_file"; then
        ok "the engine's logs rotate, by a $engine_file that is not ours"
      else
        note "$engine_file is not ours and sets no max-size" "Slipway's containers rotate their logs anyway; for others add log-opts with max-size"
      fi
    `,
    apply: sh`
      if ! journal_ends; then
        put "$journal_file" journal_text
        if has_systemd; then systemctl try-restart systemd-journald; fi
      fi
      if [ ! -e "$engine_file" ]; then
        mkdir -p /etc/docker
        engine_text >"$engine_file.slipway-new"
        mv "$engine_file.slipway-new" "$engine_file"
        echo "wrote $engine_file"
        # A running engine takes live-restore by reload; a restart would stop the containers that run, so the log settings wait
        # for its next one.
        if has_systemd && systemctl is-active --quiet docker; then systemctl reload docker; fi
      fi
    `,
  },
  {
    id: "kernel",
    title: "Kernel settings",
    why: "UDP buffers for HTTP/3, memory that Redis can fork with, enough file watches for many containers, and a reboot after a panic.",
    needs: ["packages"],
    parts: sh`
      # 10-: whatever anybody else sets, earlier or later, stays in force.
      kernel_file=/etc/sysctl.d/10-slipway.conf
      # name, least value
      kernel_wanted() {
        cat <<'EOF'
      net.core.rmem_max 7500000
      net.core.wmem_max 7500000
      vm.overcommit_memory 1
      fs.inotify.max_user_instances 1024
      kernel.panic 10
      EOF
      }
      kernel_text() {
        echo "# $mark"
        # HTTP/3: https://github.com/quic-go/quic-go/wiki/UDP-Buffer-Sizes (2026-11-21)
        # Redis: https://redis.io/docs/latest/operate/oss_and_stack/management/admin/ (2026-11-21)
        kernel_wanted | sed 's/ / = /'
      }
      # kernel_low: name and least value of what is lower than that.
      kernel_low() {
        kernel_wanted | while read -r name least; do
          value=$(sysctl -n "$name" 2>/dev/null) || continue
          [ "$value" -ge "$least" ] || echo "$name $least"
        done
      }
    `,
    check: sh`
      if ! have sysctl; then
        missing "sysctl is not installed"
        return
      fi
      low=$(kernel_low | sed 's/ .*//' | tr '\n' ' ')
      if [ ! -e "$kernel_file" ] || ! same "$kernel_file" kernel_text; then
        if [ -z "$low" ] && [ ! -e "$kernel_file" ]; then ok "everything is high enough already"; else missing "lower than wanted: \${low:-nothing now, but the file is an older one}"; fi
      elif [ -z "$low" ]; then
        ok "as in $kernel_file"
      elif [ -w /proc/sys/kernel/panic ]; then
        # Somebody's own setting, or set by hand since: theirs stays.
        note "set lower by someone else: $low" "look: grep -r . /etc/sysctl.d /etc/sysctl.conf; to load all files again: sysctl --system"
      else
        note "$kernel_file is there; this machine may not change its kernel: $low" "in a container, set them on the machine that runs it"
      fi
    `,
    apply: sh`
      have sysctl || apt_install procps
      put "$kernel_file" kernel_text
      # Only what is too low, so that what was set higher by hand stays.
      kernel_low | while read -r name least; do
        sysctl -q -w "$name=$least" || echo "this machine does not let $name be set"
      done
    `,
  },
  {
    id: "swap",
    title: "Swap where memory is small",
    why: "On a small machine a build or two releases side by side can run out of memory for a moment; swap makes that slow, not fatal.",
    needs: ["disk"],
    parts: sh`
      swap_path=/var/lib/slipway/swapfile
      swap_file=/etc/systemd/system/var-lib-slipway-swapfile.swap
      swap_text() {
        cat <<EOF
      # $mark
      [Unit]
      Description=Swap for a machine with little memory
      [Swap]
      What=$swap_path
      [Install]
      WantedBy=swap.target
      EOF
      }
      memory_mb() { awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo; }
      swap_mb() { awk '/^SwapTotal:/ { print int($2 / 1024) }' /proc/meminfo; }
      # As much as there is memory, at least half a gigabyte.
      swap_wanted_mb() { if [ "$(memory_mb)" -lt 512 ]; then echo 512; else memory_mb; fi; }
    `,
    check: sh`
      if [ "$(swap_mb)" -gt 0 ]; then
        ok "$(swap_mb) MB of swap for $(memory_mb) MB of memory"
      elif [ "$(memory_mb)" -ge 3800 ]; then
        ok "$(memory_mb) MB of memory need none"
      elif ! has_systemd; then
        blocked "$(memory_mb) MB of memory and no swap; without systemd it would be gone after a boot" "add a swap file to /etc/fstab"
      elif systemd-detect-virt --quiet --container; then
        note "$(memory_mb) MB of memory and no swap; a container has that of its host"
      elif [ "$(df -kP /var | awk 'NR == 2 { print int($4 / 1024) }')" -lt "$((2 * $(swap_wanted_mb) + 2048))" ]; then
        blocked "$(memory_mb) MB of memory, no swap, and too little room on the disk for it" "use a larger disk or more memory"
      else
        missing "$(memory_mb) MB of memory and no swap; $(swap_wanted_mb) MB will be added"
      fi
    `,
    apply: sh`
      mkdir -p "$(dirname "$swap_path")"
      if [ "$(swapon --noheadings --show=NAME | grep -cxF "$swap_path")" = 0 ]; then
        # Written whole under another name first: half a swap file is none.
        rm -f "$swap_path" "$swap_path.new"
        (umask 077 && dd if=/dev/zero of="$swap_path.new" bs=1M count="$(swap_wanted_mb)" 2>/dev/null)
        mkswap "$swap_path.new" >/dev/null
        mv "$swap_path.new" "$swap_path"
      fi
      put "$swap_file" swap_text
      systemctl daemon-reload
      systemctl enable --now var-lib-slipway-swapfile.swap
    `,
  },
];
