import { sh } from "./shell.ts";

/** What the script does with its steps. The last part; the call of `main` is its last line, so half a script does nothing. */
export const mainPart = sh`
  # tell <kind> <step> <text>...: one line for a program (--porcelain) or for a person.
  tell() {
    if [ "$porcelain" = yes ]; then
      printf '@slipway'
      printf '\t%s' "$@"
      printf '\n'
      return
    fi
    case $1 in
      finding)
        case $3 in
          ok) sign='ok       ' ;;
          note) sign='note     ' ;;
          missing) sign='MISSING  ' ;;
          blocked) sign='BLOCKED  ' ;;
          *) sign='REFUSED  ' ;;
        esac
        printf '%s %-9s %s\n' "$sign" "$2" "$4"
        [ -z "$5" ] || printf '%s\n' "                     hint: $5"
        ;;
      begin) printf '\n==> %s\n' "$(title_of "$2")" ;;
      log) printf '    %s\n' "$3" ;;
      done) [ "$3" = 0 ] || printf '    failed with exit code %s\n' "$3" ;;
      skipped) printf '    %s is left out: it needs %s\n' "$2" "$3" ;;
      fact) ;;
    esac
  }

  # look <step>: tells its findings; $worst is the worst of them.
  look() {
    ("check_$1") >"$work/found" 2>"$work/errors" </dev/null
    if [ ! -s "$work/found" ]; then
      blocked "the check came to no result" "$(tail -n 1 "$work/errors")" >"$work/found"
    fi
    for worst in refused missing blocked note ok; do
      if grep -q "^$worst" "$work/found"; then break; fi
    done
    while IFS="$tab" read -r is evidence hint; do
      tell finding "$1" "$is" "$evidence" "$hint"
    done <"$work/found"
  }

  # look_at_all: $all_worst is one word: refused, missing (also for blocked), or ok.
  look_at_all() {
    all_worst=ok
    for step in $steps; do
      look "$step"
      case $worst in
        refused) all_worst=refused ;;
        missing | blocked) [ "$all_worst" = refused ] || all_worst=missing ;;
      esac
    done
  }

  # change <step>: makes it so, without the lock, which what it starts would keep. Goes on when nobody listens any more, so that a lost connection leaves nothing half done.
  change() {
    tell begin "$1"
    {
      (
        trap - PIPE
        set -e
        "apply_$1"
      ) 2>&1 </dev/null 9>&-
      echo $? >"$work/code"
    } | while IFS= read -r line; do
      tell log "$1" "$(plain "$line")" 2>/dev/null
    done
    tell "done" "$1" "$(cat "$work/code")"
  }

  # change_all: in order; what needs something that failed is left out.
  change_all() {
    failed=' '
    put "$kept_file" kept_text >/dev/null
    for step in $steps; do
      look "$step" >/dev/null
      [ "$worst" = missing ] || continue
      lacking=
      for need in $(needs_of "$step"); do
        case $failed in *" $need "*) lacking=$need ;; esac
      done
      if [ -n "$lacking" ]; then
        tell skipped "$step" "$lacking"
        failed="$failed$step "
        continue
      fi
      change "$step"
      [ "$(cat "$work/code")" = 0 ] || failed="$failed$step "
    done
  }

  # waiting: changes that are taken back unless they are confirmed.
  waiting() { for step in ssh firewall; do [ ! -e "$room/undo-$step" ] || echo "$step"; done; }

  # confirm: whoever got in by a new login says that the way in is fine.
  confirm() {
    undone=
    for step in ssh firewall; do
      if [ -e "$room/undone-$step" ]; then
        undone="$undone $step"
        rm -f "$room/undone-$step"
      fi
      undo_off "$step"
    done
    [ -n "$undone" ] || return 0
    for step in $undone; do
      tell finding "$step" missing "it was taken back: nobody confirmed it in $undo_after_s s" "run this again"
    done
    return 1
  }

  ask() {
    printf '\n%s [y/N] ' "$1"
    read -r answer
    case $answer in y | Y | yes) return 0 ;; *) return 1 ;; esac
  }

  by_hand() {
    look_at_all
    if [ "$all_worst" = refused ]; then
      printf '\nNothing was changed: see what is REFUSED above.\n'
      exit 2
    fi
    if [ "$all_worst" = ok ]; then
      printf '\nThis server is ready.\n'
      exit 0
    fi
    ask "Change what is MISSING?" || exit 1
    change_all
    if [ -n "$(waiting)" ]; then
      if ask "Log in from another terminal. Does that work?"; then
        confirm
      else
        printf 'SSH and firewall are taken back in %s s.\n' "$undo_after_s"
      fi
    fi
    echo
    look_at_all
    [ "$all_worst" = ok ]
    exit
  }

  main() {
    porcelain=no
    tab=$(printf '\t')
    if [ "\${1:-}" = --porcelain ]; then
      porcelain=yes
      shift
    fi
    mode=\${1:-by-hand}
    work=$(mktemp -d) || exit 1
    trap 'rm -rf "$work"' EXIT
    trap '' PIPE HUP
    tell fact epoch "$(date +%s)"
    tell fact addresses "$(hostname -I 2>/dev/null)"
    case $mode in
      check)
        look_at_all
        [ "$all_worst" = ok ]
        exit
        ;;
      by-hand | apply | confirm) ;;
      *)
        echo "usage: sh init-server.sh [check | apply | confirm]" >&2
        exit 2
        ;;
    esac
    if [ "$(id -u)" != 0 ]; then
      look system
      exit 2
    fi
    mkdir -p "$room"
    chmod 700 "$room"
    exec 9>"$room/lock"
    if ! flock -n 9; then
      tell finding system refused "another bootstrap is at work on this server" "wait for its end"
      exit 2
    fi
    case $mode in
      confirm) confirm ;;
      by-hand) by_hand ;;
      apply)
        look_at_all >"$work/first"
        if [ "$all_worst" = refused ]; then
          cat "$work/first"
          exit 2
        fi
        change_all
        if [ "$failed" = ' ' ]; then
          [ "$porcelain" = yes ] || [ -z "$(waiting)" ] ||
            echo "Log in from another terminal, and there: sh init-server.sh confirm (within $undo_after_s s)"
          exit 0
        fi
        exit 1
        ;;
    esac
  }
`;
