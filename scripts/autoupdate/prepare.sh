# shellcheck shell=bash disable=SC2154,SC2034
# Steps of autoupdate.sh that make the new tree beside the checkout. The checkout stays as it is; a cut leaves a folder to remove.

# Nothing of a host's own may get lost, and nothing is decided for a person who works there.
is_clean() { # sets reason
  local told
  # A status that cannot be had is none.
  attempt 'git status' git_in "$checkout" status --porcelain=v1 || return
  told=$(git_in "$checkout" status --porcelain=v1 --no-renames 2>/dev/null | head -n 1)
  reason="the checkout was changed, first ${told:3}: git -C $checkout status shows what"
  [ -z "$told" ]
}

step_look() { # branch
  from=$(cat "$checkout/node_modules/.cis490-commit" 2>/dev/null) && to=$from
  [ -e "$checkout/.git" ] || [ -z "$from" ] ||
    finish refused "$checkout is an unpacked bundle, which does not update itself: move it away and run the installer of the next one"
  git_in "$checkout" rev-parse --git-dir >/dev/null 2>&1 || finish refused "$checkout is no git checkout of $user"
  from=$(git_in "$checkout" rev-parse HEAD) && to=$from
  ! mountpoint -q "$checkout" || finish refused "$checkout is a mount point and cannot be renamed"
  if grep -Eq '^[[:space:]]*"?update"?[[:space:]]*[.=]' "$config" ||
    { grep -Eq '^[^#]*require_signed' "$config" && [ -z "$(value_of update require_signed '')" ]; }; then
    finish refused "$config: [update] is not understood; write it as a table, a key a line"
  fi
  [ "$(git_in "$checkout" symbolic-ref --short -q HEAD)" = "$1" ] || finish refused "the checkout is not on branch $1"
  is_clean || finish refused "$reason"
}

step_fetch() { # branch
  attempt 'git fetch' git_in "$checkout" -c http.lowSpeedLimit=1 -c http.lowSpeedTime=60 fetch --quiet origin \
    "+refs/heads/$1:refs/remotes/origin/$1" || finish failed "$reason"
  to=$(git_in "$checkout" rev-parse "refs/remotes/origin/$1")
}

# Fast-forward only; signed where that is asked for; not again what was rolled back; and only when it is this wave's turn.
step_allow() { # --now or run
  local count=0 last='' told=''
  [ "$from" != "$to" ] || finish current "$from is the newest"
  git_in "$checkout" merge-base --is-ancestor "$from" "$to" ||
    finish refused "diverged: the branch does not contain ${from:0:12}, and is never forced"
  if [ "$(value_of update require_signed false)" != false ]; then
    attempt 'not signed by a key that this host knows' git_in "$checkout" verify-commit "$to" || finish refused "$reason"
  fi
  [ "$1" != --now ] || return 0
  [ ! -e "$tried" ] || read -r last count told <"$tried"
  if [ "$last" = "$to" ] && [ "$count" -ge "$most_tries" ]; then
    finish rolled-back "${to:0:12} was tried and is not tried again: $told"
  fi
  told=$(as_user timeout 60 "$checkout/$agent" update-allowed --json --commit "$to" --config "$config" 2>&1)
  case $? in
  0) ;;
  # A program that cannot even load ends with 1 too, and says nothing of the kind.
  1) grep -q '"allowed": *false' <<<"$told" || finish failed "the agent of ${from:0:12} does not run: $(tail -n 1 <<<"$told")"
    finish held "$(sed -n 's/^ *"text": "\(.*\)",*$/\1/p' <<<"$told" | head -n 1)" ;;
  *) [ "$(value_of update wave 0)" = 0 ] || finish held 'nobody can tell whether it is the turn of this wave' ;;
  esac
}

# A clone: a worktree's link to its repository would not survive the rename. Branches, remotes and hooks come along.
step_clone() { # branch
  local need free
  rm -rf "$old" "$failed"
  need=$(($(du -sk "$checkout" | cut -f1) * 3 / 2))
  free=$(df -k --output=avail "$work" | tail -n 1)
  [ "$free" -ge "$need" ] || finish failed "disk full: an update needs $need KiB, $((free)) are free"
  own_folder "$new"
  if ! { attempt 'git clone' git_in / clone --quiet --local --no-checkout "$checkout" "$new" &&
    attempt 'git clone' as_user cp "$checkout/.git/config" "$new/.git/config" &&
    { [ ! -d "$checkout/.git/hooks" ] || attempt 'git clone' as_user cp -rT "$checkout/.git/hooks" "$new/.git/hooks"; } &&
    attempt 'git clone' git_in "$new" fetch --quiet --update-head-ok "$checkout" '+refs/*:refs/*' &&
    attempt 'git reset' git_in "$new" symbolic-ref HEAD "refs/heads/$1" &&
    attempt 'git reset' git_in "$new" reset --quiet --hard "$to"; }; then
    finish failed "$reason"
  fi
}

own_folder() { # path
  install -d -m 0755 -o "$user" -g "$(id -g "$user")" "$1" || finish failed "$1 cannot be made"
}

from_registry() {
  own_folder "$npm"
  # A site's own Node brings its npm, and npm looks for a node on the path.
  attempt 'npm ci' as_user env -C "$new" PATH="${CIS490_NODE:+${CIS490_NODE%/*}:}$PATH" npm_config_cache="$npm" timeout 900 "${CIS490_NPM:-npm}" ci --omit=dev \
    --ignore-scripts --prefer-offline --no-audit --no-fund --no-update-notifier --loglevel=warn --fetch-timeout=60000 --fetch-retries=1
}

# The receiver's archive of this commit gives what is not in git; what is in git comes from there alone.
from_bundle() {
  local archive=$npm/bundle.tar.zst key options='' path url stamp
  url=$(value_of receiver url '') && url=${url%/}
  for key in ca_file:cacert cert_file:cert key_file:key; do
    path=$(value_of receiver "${key%:*}" '')
    [ -z "$path" ] || options+="${key#*:} = \"$path\""$'\n'
  done
  path=$(value_of receiver token_file '')
  [ -z "$path" ] || options+="header = \"Authorization: Bearer $(as_user cat "$path")\""$'\n'
  own_folder "$npm"
  attempt 'bundle' as_user curl --config - --fail --silent --show-error --connect-timeout 15 --max-time 900 --output "$archive" \
    --dump-header "$archive.head" "$url/v1/bundles/$to.tar.zst" <<<"$options" || return
  grep -i '^etag:' "$archive.head" | grep -q "$(sha256sum "$archive" | cut -d' ' -f1)" ||
    { reason='bundle: its bytes are not those of its ETag' && return 1; }
  # Of an npm that was ended in the middle.
  # shellcheck disable=SC2016
  as_user sh -c 'rm -rf "$1/node_modules" "$1"/packages/*/node_modules' sh "$new"
  attempt 'bundle' as_user tar --use-compress-program=zstd --extract --file "$archive" --directory "$new" \
    --strip-components=1 --skip-old-files || return
  rm -f "$archive" "$archive.head"
  stamp=$(cat "$new/node_modules/.cis490-commit" 2>/dev/null)
  [ "${stamp:-$to}" = "$to" ] || { reason="bundle: it is of ${stamp:0:12}" && return 1; }
  [ -z "$(git_in "$new" status --porcelain=v1)" ] || { reason='bundle: it holds what the commit does not' && return 1; }
}

step_modules() {
  local before=''
  if [ "$(value_of update source git)" != bundle ]; then
    from_registry && return
    # A bundle has no more room.
    [[ $reason != 'disk full:'* ]] || finish failed "$reason"
    before="$reason; "
  fi
  from_bundle || finish failed "$before$reason"
}

# Does the new code work here, with this configuration and this outbox?
quick() { # tree
  local told
  told=$(as_user timeout 60 "$1/$agent" doctor --only quick --nagios --config "$config" 2>&1)
  # The line is the proof: a program that cannot even load ends with 1 too.
  [ $? -le 1 ] && [[ $told =~ ^(OK|WARNING)\ -\  ]] && return
  reason="doctor of ${to:0:12}: $(head -n 1 <<<"$told" | cut -d'|' -f1)"
  return 1
}

step_try() {
  quick "$new" || quick "$new" || finish refused "$reason"
  accept_settings || finish refused "$reason"
  # What a rename makes visible has to be on the disk.
  sync -f "$new"
}
