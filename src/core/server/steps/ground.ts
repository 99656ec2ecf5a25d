import { sh } from "../shell.ts";
import type { Step } from "../step.ts";

/** What must be so before anything begins: a bootstrap cannot change it. */
export const ground: readonly Step[] = [
  {
    id: "system",
    title: "Debian or Ubuntu, as root",
    why: "The steps below know apt, and the places where Debian and Ubuntu keep things. On anything else they would guess.",
    needs: [],
    check: sh`
      if [ "$(id -u)" != 0 ]; then
        refused "this runs as $(id -un), not as root" "log in as root, or as a user who may run sudo without a password"
      fi
      if [ ! -r /etc/os-release ]; then
        refused "there is no /etc/os-release: this is neither Debian nor Ubuntu" "use a server with Debian 12 or Ubuntu 22.04, or newer"
        return
      fi
      name=$(. /etc/os-release && echo "\${PRETTY_NAME:-}")
      id=$(. /etc/os-release && echo "\${ID:-}")
      release=$(. /etc/os-release && echo "\${VERSION_ID:-}")
      case $id in
        debian) oldest=12 ;;
        ubuntu) oldest=22.04 ;;
        *) oldest= ;;
      esac
      if [ -z "$oldest" ] || ! have apt-get; then
        refused "$name is neither Debian nor Ubuntu" "use a server with Debian 12 or Ubuntu 22.04, or newer"
      elif [ -z "$release" ]; then
        note "$name, which has no release number: untested"
      elif ! at_least "$release" "$oldest"; then
        refused "$name is older than $oldest" "upgrade it, or use a newer server"
      else
        ok "$name, $(dpkg --print-architecture), kernel $(uname -r)"
      fi
      has_systemd || note "systemd does not run here: what has to start at boot cannot be arranged"
    `,
    apply: null,
  },
  {
    id: "disk",
    title: "Room on the disks",
    why: "Packages, images and logs need room; a full disk stops databases first and deployments next.",
    needs: [],
    check: sh`
      # Of the file systems that hold packages, images and logs, each once.
      for directory in / /var /var/lib/docker /boot; do
        [ -d "$directory" ] && df -kP "$directory" | sed -n 2p
      done | sort -u -k 6,6 | while read -r _ _ _ free_kb used_percent at; do
        free="$((free_kb / 1024)) MB free on $at ($used_percent used)"
        case $at in
          /boot) least_kb=51200 low_kb=102400 ;;
          *) least_kb=1048576 low_kb=3145728 ;;
        esac
        if [ "$free_kb" -lt "$least_kb" ]; then
          refused "only $free" "free some space: apt-get clean; journalctl --vacuum-size=100M; docker system df"
        elif [ "$free_kb" -lt "$low_kb" ]; then
          note "only $free" "a few releases of images will fill it"
        else
          ok "$free"
        fi
      done
      df -iP / | sed -n 2p | while read -r _ _ _ free_inodes used_percent at; do
        case $free_inodes in '' | *[!0-9]*) continue ;; esac
        [ "$free_inodes" -eq 0 ] && [ "$used_percent" = - ] && continue
        [ "$free_inodes" -ge 50000 ] || refused "only $free_inodes inodes are free on $at" "many small files: find / -xdev -type d -size +1M"
      done
    `,
    apply: null,
  },
];
