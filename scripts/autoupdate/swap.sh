# shellcheck shell=bash disable=SC2154,SC2034
# Steps of autoupdate.sh from the last moment of the old version to the first of the new one, and the way back. From step_journal
# to step_settle there is a journal: whatever is cut short in between is undone by `undo`.

# Also while it starts, or waits to be started again: it has the tree's files open.
is_up() {
  local state
  state=$(systemctl is-active "$unit" 9>&- 2>/dev/null) && return
  [[ $state =~ ^(activating|reloading|deactivating)$ ]]
}

is_active() {
  systemctl is-active --quiet "$unit" 9>&- 2>/dev/null
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

# Running transfers end a part: shipping is paused, until no archive is open. Should we die, the pause ends by itself.
step_lull() {
  local pid deadline=$((SECONDS + lull))
  active=no
  is_up || return 0
  active=yes
  is_paused || as_user "$checkout/$agent" pause --for "$((lull + 300))s" --reason 'an update' --config "$config" >/dev/null 2>&1
  pid=$(systemctl show --property=MainPID --value "$unit" 9>&-)
  sleep "$notice"
  # Where nobody may look into the daemon it gets time to end its parts.
  ls "/proc/$pid/fd" >/dev/null 2>&1 || sleep 10
  while find "/proc/$pid/fd" -lname '*.tar.zst' 2>/dev/null | grep -q .; do
    [ $SECONDS -lt $deadline ] || finish held "a transfer has run for more than $lull s"
    sleep 1
  done
}

# Counted before it is tried: a version that takes the machine down with it is not tried for ever.
step_journal() {
  local last='' count=0
  [ ! -e "$tried" ] || read -r last count _ <"$tried"
  [ "$last" = "$to" ] || count=0
  if ! { put "$tried" "$to $((count + 1)) $cut" && put "$journal" "$from $to $active"; }; then
    finish failed "$work cannot be written"
  fi
}

# Before the swap: the daemon loads parts of itself when it needs them, and must not load those of another version.
step_stop() {
  [ "$active" = no ] || attempt 'systemctl stop' systemctl stop "$unit" 9>&- || undo failed "$reason"
  resume
}

step_swap() {
  attempt 'swap' swap "$new" "$old" || undo failed "$reason"
}

step_start() {
  [ "$active" = no ] || attempt "${to:0:12} does not start" timeout "$start_patience" systemctl start "$unit" 9>&- ||
    undo rolled-back "$reason"
}

# Up for some seconds on end, and its doctor says so too.
step_judge() {
  local well=0 deadline=$((SECONDS + patience))
  while [ "$well" -lt "$settle" ]; do
    reason="${to:0:12} does not stay up"
    if { [ "$active" = no ] || is_active; } && { [ "$well" -gt 0 ] || quick "$checkout"; }; then
      [ "$active" = yes ] || return 0
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
  local where=$old here
  read -r from to active <"$journal"
  here=$(git_in "$checkout" rev-parse HEAD 2>/dev/null)
  if [ ! -e "$checkout" ]; then
    mv -T "$old" "$checkout"
  # Whose commit nobody can read is the new one only where the old one stands aside.
  elif [ "$here" = "$to" ] || { [ "$here" != "$from" ] && [ -e "$old" ]; }; then
    ! is_up || systemctl stop "$unit" 9>&-
    # An exchange whose second rename is missing left the old tree under the new one's name.
    [ -e "$old" ] || where=$new
    rm -rf "$failed"
    swap "$where" "$failed"
  else
    [ "$here" = "$from" ]
  fi || { say 3 "the way back failed: $old is the tree that worked, $checkout its place" && exit 3; }
  sync "$work" "$(dirname "$checkout")"
  [ "$1" != rolled-back ] || [ "$2" = "$cut" ] || put "$tried" "$to $most_tries $2"
  # Before the journal goes, or a cut would leave the host without its daemon. Not waited for: at boot it is this that comes first.
  [ "$active" = no ] || is_active || systemctl start --no-block "$unit" 9>&-
  rm -f "$journal" && sync "$work"
  report=yes
  finish "$1" "$2"
}
