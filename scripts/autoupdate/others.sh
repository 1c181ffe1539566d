# shellcheck shell=bash disable=SC2154,SC2034
# What else runs from the checkout: on a machine that is host and receiver at once, the receiver and the fleet's errands. The
# running ones change over together with the agent, and are judged with it.

# Of each service of the tree, running or not: its program's path in the tree, its configuration. `others` run until they are
# stopped; `errands` end by themselves.
declare -A program=() settings=()
others=() errands=()

look_around() { # sets these; false with `reason`
  local told line id='' type='' state='' start=''
  program=() settings=() others=() errands=()
  told=$(systemctl show --property=Id,Type,ActiveState,ExecStart '*.service' 9>&- 2>&1) ||
    { reason="systemctl does not tell what runs from $checkout: $(tail -n 1 <<<"$told")" && return 1; }
  while IFS= read -r line; do
    case $line in
    Id=*) id=${line#Id=} && id=${id%.service} ;;
    Type=*) type=${line#Type=} ;;
    ActiveState=*) state=${line#ActiveState=} ;;
    ExecStart=*) start=$line ;;
    '') sort_in "$id" "$type" "$state" "$start" && id='' type='' state='' start='' ;;
    esac
  done <<<"$told"$'\n'
}

sort_in() { # service type state start
  local path
  [[ $4 =~ path=([^ \;]+) ]] && path=$(readlink -f "${BASH_REMATCH[1]}") || return 0
  [[ $1 != "$unit" && $path = "$checkout"/* ]] || return 0
  program[$1]=${path#"$checkout"/} settings[$1]=''
  [[ ! $4 =~ --config[=\ ]([^ \;]+) ]] || settings[$1]=${BASH_REMATCH[1]}
  case $2:$3 in
  oneshot:activating | oneshot:reloading | oneshot:deactivating) errands+=("$1") ;;
  oneshot:* | *:inactive | *:failed) ;;
  *) others+=("$1") ;;
  esac
}

is_receiver() {
  [ "${program[$1]-}" = packages/receiver/bin/cis490-receiver ]
}

health_address() { # service
  value_of '' ops_listen 127.0.0.1:9490 "${settings[$1]:-/etc/cis490/receiver.toml}"
}

# The commit that a receiver says it runs; nothing where it does not say.
commit_told() { # service
  local at
  at=$(health_address "$1") && at=${at//[][]/}
  # shellcheck disable=SC2016
  timeout 5 bash -c 'exec 3<>"/dev/tcp/$1/$2" && printf "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n" >&3 && cat <&3' \
    sh "${at%:*}" "${at##*:}" 2>/dev/null | sed -n 's/^cis490_build_info{.*commit="\([0-9a-f]\{40,\}\)".*/\1/p'
}

# What could not be judged afterwards is not begun.
judges_others() {
  local one
  look_around || finish failed "$reason"
  for one in "${others[@]}"; do
    if is_receiver "$one" && is_active "$one" && [ -z "$(commit_told "$one")" ]; then
      finish refused "$one runs from this checkout too, and could not be judged: it does not tell at $(health_address "$one") which commit it runs"
    fi
  done
}

step_others() {
  judges_others
}

# A configuration that the old code takes, the new one has to take; what is not readable from here says nothing.
accept_settings() {
  local one
  for one in "${!program[@]}"; do
    [[ ${program[$one]} =~ ^packages/(receiver|fleet)/bin/ && -n ${settings[$one]} ]] || continue
    takes "$new" "$one" || ! takes "$checkout" "$one" || takes "$new" "$one" || return 1
  done
}

takes() { # tree service
  attempt "check-config of ${2#cis490-} by ${to:0:12}" \
    as_user timeout 60 "$1/${program[$2]}" check-config --config "${settings[$2]}"
}

# All of them up, and a receiver says that it runs the new commit.
others_well() { # sets reason
  local one
  for one in "${others[@]}"; do
    reason="$one does not stay up with ${to:0:12}"
    is_active "$one" || return
    reason="$one does not answer at $(health_address "$one") that it runs ${to:0:12}"
    ! is_receiver "$one" || [ "$(commit_told "$one")" = "$to" ] || return
  done
}
