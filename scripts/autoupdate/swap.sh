# shellcheck shell=bash disable=SC2154,SC2034
# Steps of autoupdate.sh from the last moment of the old version to the first of the new one, and the way back. From step_journal
# to step_settle there is a journal: whatever is cut short in between is undone by `undo`.

# Also while it starts, or waits to be started again: it has the tree's files open.
is_up() { # unit
  local state
  state=$(systemctl is-active "$1" 9>&- 2>/dev/null) && return
  [[ $state =~ ^(activating|reloading|deactivating)$ ]]
}

is_active() { # unit
  systemctl is-active --quiet "$1" 9>&- 2>/dev/null
}

# $1 takes the checkout's place, which becomes $2. At once where mv can exchange; else by two renames, between which there is no
# checkout: `undo` knows.
swap() {
  if mv --help | grep -q -e --exchange; then
    mv --exchange -T "$1" "$checkout" && { [ "$1" = "$2" ] || mv -T "$1" "$2"; }
  else
    mv -T "$checkout" "$2" && mv -T "$1" "$checkout"
  fi && sync "$work" "$(dirname "$checkout")"
}

pause_file() {
  echo "$(value_of paths state /var/lib/cis490/agent)/paused.json"
}

# Is it paused by a person?
is_paused() {
  local file until
  file=$(pause_file)
  [ -e "$file" ] || return
  until=$(sed -n 's/.*"until": *"\([^"]*\)".*/\1/p' "$file")
  [[ -z $until || $until > $(date -u +%Y-%m-%dT%H:%M:%S) ]]
}

# Ends our own pause, also that of a run that was killed.
resume() {
  ! grep -q '"reason":"an update"' "$(pause_file)" 2>/dev/null ||
    as_user rm -f "$(pause_file)"
}

# Running transfers end a part: shipping is paused, until no archive is open. Should we die, the pause ends by itself. What runs
# once, like the judgement of the fleet, ends before its code is taken away.
step_lull() {
  local pid=0 deadline=$((SECONDS + lull))
  active=no
  if is_up "$unit"; then
    active=yes
    is_paused || as_user "$checkout/$agent" pause --for "$((lull + 300))s" --reason 'an update' --config "$config" >/dev/null 2>&1
    pid=$(systemctl show --property=MainPID --value "$unit" 9>&-)
    sleep "$notice"
    # Where nobody may look into the daemon it gets time to end its parts.
    has_open "$pid" '*' || sleep 10
  fi
  while judges_others && busy "$pid"; do
    [ $SECONDS -lt $deadline ] || finish held "$reason has run for more than $lull s"
    sleep 1
  done
}

busy() { # pid; sets reason
  reason=${errands[0]-} && [ -z "$reason" ] || return 0
  reason='a transfer'
  has_open "$1" '*.tar.zst'
}

# By what the links say: to list them is a lesser right than to read them.
has_open() { # pid pattern
  [ -n "$(find "/proc/$1/fd" -lname "$2" -print -quit 2>/dev/null)" ]
}

# Counted before it is tried: a version that takes the machine down with it is not tried for ever.
step_journal() {
  local last='' count=0
  # The new tree took minutes to make, in which a person may have worked in the checkout.
  if [ "$(git_in "$checkout" rev-parse HEAD)" != "$from" ]; then finish held "${from:0:12} was replaced by hand meanwhile"; fi
  is_clean || finish held "$reason"
  [ ! -e "$tried" ] || read -r last count _ <"$tried"
  [ "$last" = "$to" ] || count=0
  if ! { put "$tried" "$to $((count + 1)) $cut" && put "$journal" "$from $to $active ${others[*]}"; }; then
    finish failed "$work cannot be written"
  fi
}

# Before the swap: a daemon loads parts of itself when it needs them, and must not load those of another version. The agent first,
# which may ship to the receiver beside it; a receiver ends what is on its way, or hosts go on with it afterwards.
step_stop() {
  stop_them || undo failed "$reason"
  resume
}

stop_them() { # also those that only start
  local one well=0
  for one in "$unit" "${others[@]}"; do
    ! is_up "$one" || attempt "systemctl stop $one" systemctl stop "$one" 9>&- || well=1
  done
  return $well
}

step_swap() {
  attempt 'swap' swap "$new" "$old" || undo failed "$reason"
}

step_start() {
  start_them || undo rolled-back "$reason"
}

start_them() {
  local one
  for one in "${others[@]}" "$unit"; do
    [ "$one:$active" = "$unit:no" ] ||
      attempt "${to:0:12} does not start as $one" timeout "$start_patience" systemctl start "$one" 9>&- || return
  done
}

# Up for some seconds on end, and its doctor says so too; a receiver's word is asked for as well.
step_judge() {
  local well=0 deadline=$((SECONDS + patience))
  while [ "$well" -lt "$settle" ]; do
    reason="${to:0:12} does not stay up"
    if { [ "$active" = no ] || is_active "$unit"; } && others_well && { [ "$well" -gt 0 ] || quick "$checkout"; }; then
      [ "$active${others[*]}" != no ] || return 0
      well=$((well + 1))
    else
      well=0
      [ $SECONDS -lt $deadline ] || undo rolled-back "$reason"
    fi
    [ "$well" -ge "$settle" ] || sleep 1
  done
}

step_settle() {
  rm -f "$journal" "$tried" && sync "$work"
  report=yes
}

cut='cut short before it was found healthy'

# What is known to work comes back. May be cut short itself, anywhere, and begun again.
undo() { # outcome reason
  local where=$new here rest
  read -r from to active rest <"$journal"
  read -ra others <<<"$rest"
  here=$(git_in "$checkout" rev-parse HEAD 2>/dev/null)
  # An exchange whose second rename is missing left the old tree under the new one's name.
  [ ! -e "$old" ] || where=$old
  if [ ! -e "$checkout" ]; then
    mv -T "$old" "$checkout"
  # Whose commit nobody can read is the new one only where the old one stands aside.
  elif [ "$here" = "$to" ] || { [ "$here" != "$from" ] && stands_aside; }; then
    stop_them
    rm -rf "$failed"
    swap "$where" "$failed"
  else
    # Before the swap; also where a person has moved on since.
    [ -n "$here" ]
  fi || no_way_back "$where"
  sync "$work" "$(dirname "$checkout")"
  [ "$1" != rolled-back ] || [ "$2" = "$cut" ] || put "$tried" "$to $most_tries $2"
  # Before the journal goes, or a cut would leave the host without its daemon. Not waited for: at boot it is this that comes first.
  bring_back
  rm -f "$journal" && sync "$work"
  report=yes
  finish "$1" "$2"
}

# Each run tries again. What is in the checkout's place may run for all that.
no_way_back() { # the tree that worked
  local text="the way back failed: $1 is the tree that worked, $checkout its place"
  say 3 "$text"
  bring_back
  report=yes
  finish refused "$text"
}

stands_aside() {
  [ -e "$old" ] || [ "$(git_in "$new" rev-parse HEAD 2>/dev/null)" = "$from" ]
}

bring_back() {
  local one
  for one in "${others[@]}" "$unit"; do
    [ "$one:$active" = "$unit:no" ] || is_active "$one" || systemctl start --no-block "$one" 9>&-
  done
}
