# shellcheck shell=bash
# How the installers speak and work: refusals come all together and before any change; each step looks first, and is one line.

dry_run=no
changed=no
problems=()
skipped=()

# Usage errors end at once: nothing else of the line can be trusted.
usage_error() {
  printf '%s: %s; %s --help lists the options\n' "$program" "$1" "$program" >&2
  exit 2
}

# value OPTION COUNT VALUE: an option's value, or a usage error where there is none.
need_value() {
  [ "$2" -ge 2 ] || usage_error "$1 needs a value"
  case $3 in '' | --*) usage_error "$1 needs a value" ;; esac
}

problem() { problems+=("$1"); }

refuse_problems() {
  if [ "${#problems[@]}" -eq 0 ]; then
    one_at_a_time
    return
  fi
  printf '%s: refused, nothing was changed:\n' "$program" >&2
  printf '  %s\n' "${problems[@]}" >&2
  exit 3
}

say() { printf '%-8s %s\n' "$1" "$2"; }

# step TITLE NAME [ARG...]: NAME_is tells whether it is so already, NAME_make makes it so; output is shown where it fails.
step() {
  local title=$1 name=$2
  shift 2
  if "${name}_is" "$@"; then
    say already "$title"
  elif [ "$dry_run" = yes ]; then
    say would "$title"
  else
    quietly "$title" "${name}_make" "$@"
    say 'done' "$title"
    changed=yes
  fi
}

# Runs in a child where every error counts; a step's function must leave nothing behind in variables.
quietly() {
  local title=$1 status
  shift
  set +e
  (
    set -e
    "$@"
  ) >"$scratch/output" 2>&1 </dev/null
  status=$?
  set -e
  [ "$status" -ne 0 ] || return 0
  say failed "$title"
  tail -n 15 "$scratch/output" | sed 's/^/         /' >&2
  printf '%s: stopped there; what is done stays, and the same command goes on when this is mended\n' "$program" >&2
  exit 3
}

# removal TITLE TEST PATH...: what is there goes.
removal() {
  local title=$1 path found=()
  shift
  for path; do
    if [ -e "$path" ] || [ -L "$path" ]; then found+=("$path"); fi
  done
  if [ "${#found[@]}" -eq 0 ]; then
    say already "without $title"
  elif [ "$dry_run" = yes ]; then
    say would "remove $title"
  else
    quietly "remove $title" rm -rf -- "${found[@]}"
    say 'done' "removed $title"
  fi
}

# A folder of its own that goes with it.
begin_work() {
  umask 022
  scratch=$(mktemp -d)
  chmod 711 "$scratch"
  trap 'rm -rf "$scratch"' EXIT
}

one_at_a_time() {
  [ "$dry_run" = no ] || return 0
  exec 9>/run/lock/cis490-install.lock
  flock -n 9 || {
    printf '%s: another installer runs\n' "$program" >&2
    exit 3
  }
  not_beside_update
}

# Both rename the checkout and restart what runs from it.
not_beside_update() {
  [ ! -d "$updater" ] || mkdir -p "$home.update"
  [ -d "$home.update" ] || return 0
  exec 8>>"$home.update/lock"
  flock -n 8 || {
    printf '%s: an update is at work; run this again when it has ended (systemctl status cis490-autoupdate)\n' "$program" >&2
    exit 3
  }
}

# A file with this content, owner and mode. Arguments: path, mode, group; content on stdin of make is not possible: it is in $scratch.
file_is() { cmp -s "$4" "$1" && [ "$(stat -c '%a:%U:%G' "$1")" = "$2:root:$3" ]; }
file_make() { install -D -m "$2" -o root -g "$3" "$4" "$1"; }

# folder PATH MODE OWNER GROUP
folder_is() { [ "$(stat -c '%F:%a:%U:%G' "$1" 2>/dev/null)" = "directory:$2:$3:$4" ]; }
folder_make() {
  install -d -m "$2" -o "$3" -g "$4" "$1"
  # install leaves a set group bit that is there already, and drops one that is asked for on some versions.
  chmod "$2" "$1"
}
