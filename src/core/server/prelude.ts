import { sh } from "./shell.ts";

/** What every step may use. Printed at the top of the script, below the settings. */
export const prelude = sh`
  export LC_ALL=C DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 APT_LISTCHANGES_FRONTEND=none
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
  export PATH
  umask 022

  # Every file of ours says so, and only such files are ever replaced.
  mark='written by slipway server bootstrap; a later bootstrap replaces it'
  room=/run/slipway-bootstrap
  work=

  # ok|note|missing|blocked|refused <evidence> [<hint>]: one fact that a check has found.
  finding() {
    printf '%s\t%s\t%s\n' "$1" "$(plain "$2")" "$(plain "\${3:-}")"
  }
  ok() { finding ok "$@"; }
  note() { finding note "$@"; }
  missing() { finding missing "$@"; }
  blocked() { finding blocked "$@"; }
  refused() { finding refused "$@"; }

  # One line of printable characters, not too long: facts may come from files of other people.
  plain() {
    printf '%s' "$1" | tr '\t\n' '  ' | tr -cd '[:print:]' | cut -c 1-400
  }

  have() { command -v "$1" >/dev/null 2>&1; }
  has_systemd() { [ -d /run/systemd/system ]; }
  installed() { [ "$(dpkg-query -W -f '\${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
  version_of() { dpkg-query -W -f '\${Version}' "$1" 2>/dev/null; }
  candidate_of() { apt-cache policy "$1" 2>/dev/null | sed -n 's/^  Candidate: //p' | grep -vx '(none)'; }
  at_least() { dpkg --compare-versions "$1" ge "$2"; }

  # same <path> <function that prints the content>
  same() { "$2" | cmp -s - "$1"; }

  # ours_or_new <path>: may it be written?
  ours_or_new() { [ ! -e "$1" ] || grep -qF "$mark" "$1"; }

  # put <path> <function that prints the content>: whole or not at all; a file of other people stops the step.
  put() {
    same "$1" "$2" && return 0
    if ! ours_or_new "$1"; then
      echo "$1 is not ours; it is left as it is" >&2
      return 1
    fi
    mkdir -p "$(dirname "$1")"
    "$2" >"$1.slipway-new"
    chmod 644 "$1.slipway-new"
    sync "$1.slipway-new"
    mv -f "$1.slipway-new" "$1"
    echo "wrote $1"
  }

  # apt_update: once a run. Ends first what a killed dpkg left.
  apt_update() {
    [ -z "$(dpkg --audit)" ] || dpkg --configure -a --force-confold </dev/null
    if [ ! -e "$work/apt-updated" ]; then
      apt-get -q -o DPkg::Lock::Timeout=300 -o APT::Update::Error-Mode=any update
      : >"$work/apt-updated"
    fi
  }

  # apt_install <package>...: without what it only recommends. Waits for another apt.
  apt_install() {
    apt_update
    apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 \
      --no-install-recommends install "$@" </dev/null
  }

  # running <unit>: now, and after the next boot?
  running() { systemctl is-active --quiet "$1" && systemctl is-enabled --quiet "$1" 2>/dev/null; }

  # session_user: who runs this, also through sudo.
  session_user() { printf '%s\n' "\${SUDO_USER:-$(id -un)}"; }
  home_of() { getent passwd "$1" | cut -d: -f6; }

  # undo_later <step> <command that puts the old files in force> <path>...: the way back, armed before a change that could
  # lock us out. It runs after undo_after_s unless a new login has confirmed the change (see confirm).
  undo_later() {
    step=$1
    command=$2
    shift 2
    if [ -e "$room/undo-$step" ]; then
      # Armed by a run before that nobody confirmed: its way back leads to what was confirmed last.
      undo_stop "$step"
    else
      undo_off "$step"
      mkdir -m 700 "$room/before-$step"
      {
        echo '#!/bin/sh'
        for path in "$@"; do
          kept="$room/before-$step/$(basename "$path")"
          if [ -e "$path" ]; then
            cp -p "$path" "$kept"
            echo "mv -f '$kept' '$path'"
          else
            echo "rm -f '$path'"
          fi
        done
        echo "$command"
        echo ": >'$room/undone-$step'"
        echo "rm -f '$room/undo-$step' '$room/undo-$step.pid'"
      } >"$room/undo-$step.new"
      rm -f "$room/undone-$step"
      mv "$room/undo-$step.new" "$room/undo-$step"
    fi
    if has_systemd; then
      systemd-run --quiet --collect --unit="slipway-undo-$step" --on-active="$undo_after_s" \
        --timer-property=AccuracySec=1s sh "$room/undo-$step"
    else
      setsid sh -c 'sleep "$1"; exec sh "$2"' _ "$undo_after_s" "$room/undo-$step" </dev/null >/dev/null 2>&1 9>&- &
      echo $! >"$room/undo-$step.pid"
    fi
    echo "taken back in $undo_after_s s unless it is confirmed"
  }

  # undo_stop <step>: its timer.
  undo_stop() {
    if has_systemd; then
      systemctl stop "slipway-undo-$1.timer" 2>/dev/null || true
    elif [ -e "$room/undo-$1.pid" ]; then
      kill -- "-$(cat "$room/undo-$1.pid")" 2>/dev/null || true
    fi
  }

  # undo_off <step>: the change stays.
  undo_off() {
    undo_stop "$1"
    rm -rf "$room/undo-$1" "$room/undo-$1.pid" "$room/before-$1"
  }

  # unconfirmed <step>: a finding, where a change waits for a new login.
  unconfirmed() {
    [ ! -e "$room/undo-$1" ] || missing "changed, and no new login has confirmed it yet"
  }
`;
