# shellcheck shell=bash disable=SC2154,SC2034
# What the steps of autoupdate.sh are written with.

say() { # priority text
  echo "${JOURNAL_STREAM:+<$1>}$2"
}

as_user() {
  if [ "$(id -u)" != 0 ] || [ "$user" = "$(id -un)" ]; then "$@"; else
    setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups --inh-caps=-all \
      env HOME="$(getent passwd "$user" | cut -d: -f6)" "$@"
  fi
}

git_in() { # tree, then what git is to do
  as_user env GIT_TERMINAL_PROMPT=0 LC_ALL=C git -C "$@"
}

# `Wrote only`: tar, of the file in which the room ended.
no_space='No space left on device|ENOSPC|Disk quota exceeded|: Wrote only [0-9]+ of'

# What git, npm and systemctl say after the reason: that it was one, where the log lies, where to look.
no_reason='^[[:space:]]*$|^npm (ERR!|error)[[:space:]]*$|A complete log of this run|-debug-[0-9]+\.log$|^See "systemctl|^fatal: Could not read from remote repository|^Please make sure you have the correct access rights$|^and the repository exists\.$'

# Runs it; where it fails, `reason` is its last line that says why. A full disk counts as a failure whatever the command makes of it: npm may
# only warn of the files that it could not write whole.
attempt() { # what it is, then the command
  local what=$1 told status
  shift
  told=$("$@" 2>&1)
  status=$?
  if grep -Eqi "$no_space" <<<"$told"; then
    reason="disk full: $what found no room"
    return 1
  fi
  [ $status -ne 0 ] || return 0
  told=$(grep -Ev "$no_reason" <<<"$told" | tail -n 1 | cut -c1-300)
  reason=$what${told:+: $told}
  return 1
}

# Of lab-host.toml only `key = value` below its [table] is understood.
value_of() { # table key default, and the file where it is another one
  local table='' line text='"([^"\\]*)"|'\''([^'\'']*)'\''|([[:alnum:]_.-]+)'
  while IFS= read -r line || [ -n "$line" ]; do
    if [[ $line =~ ^[[:space:]]*\[([^]]+)\] ]]; then
      table=${BASH_REMATCH[1]//[[:space:]]/}
    elif [ "$table" = "$1" ] && [[ $line =~ ^[[:space:]]*$2[[:space:]]*=[[:space:]]*($text)[[:space:]]*(#.*)?$ ]]; then
      echo "${BASH_REMATCH[2]}${BASH_REMATCH[3]}${BASH_REMATCH[4]}"
      return
    fi
  done < <(cat "${4:-$config}" 2>/dev/null)
  echo "$3"
}

# Replaces a small file so that a power cut leaves the old one or the new one.
put() { # file text
  printf '%s\n' "$2" >"$1.new" && sync "$1.new" && mv -f "$1.new" "$1" && sync "$work"
}

# The result, for the doctor's report. On a full disk it is written over the last one, which takes no room.
finish() { # outcome reason
  local text folder at since=''
  # The room that a tree took which nobody wants goes back before anything is written: hosts ship, and reports say why.
  [ -e "$journal" ] || rm -rf "$new" "$failed"
  [[ $2 != *'disk full:'* ]] || rm -rf "$npm"
  folder=$(value_of paths state /var/lib/cis490/agent)/update
  at=$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ)
  if [ "$1" = failed ]; then
    since=$(sed -n 's/.*"failing_since":"\([^"]*\)".*/\1/p' "$folder/result.json" 2>/dev/null)
    since=",\"failing_since\":\"${since:-$at}\""
  fi
  text=$(tr -c '[:print:]' ' ' <<<"$2" | cut -c1-500 | sed 's/[\\"]/\\&/g; s/ *$//')
  text="{\"at\":\"$at\",\"from\":\"$from\",\"to\":\"$to\",\"outcome\":\"$1\",\"reason\":\"$text\"$since}"
  # shellcheck disable=SC2016
  as_user sh -c 'umask 027; mkdir -p "$1" && cd "$1" || exit
    if printf "%-1500s\n" "$2" >result.new && sync result.new; then mv -f result.new result.json && sync .
    else rm -f result.new; printf "%-1500s\n" "$2" 1<>result.json; fi' sh "$folder" "$text" 2>/dev/null ||
    say 4 "the result cannot be written to $folder"
  # Later waves wait for the word of this host.
  [ -z "$report" ] || systemctl start --no-block "$reporter" 9>&- >/dev/null 2>&1
  case $1 in
  updated | current | held) say 6 "$1: $2" && exit 0 ;;
  refused | rolled-back) say 4 "$1: $2" && exit 1 ;;
  *) say 4 "$1: $2" && exit 3 ;;
  esac
}
