#!/usr/bin/env bash
# Brings the checkout to the newest commit of its branch, or leaves it as it is and says why.
#
#   autoupdate.sh [run]     one update, if there is one and this host's wave may take it
#   autoupdate.sh --now     whatever the wave, and once more what was rolled back
#   autoupdate.sh repair    undoes an update that was cut short; for boot, and after a run that was killed
#
# Exit 0: updated, current or held; 1: refused or rolled back; 2: usage; 3: failed, and the next run tries again.
#
# It needs nothing of what it replaces: bash, git, coreutils, setpriv and flock of util-linux, and systemctl. npm or curl fetch
# what the program needs. It and the folder `autoupdate` are installed apart from the checkout. Run by root it touches the tree
# as the tree's owner, and as root only renames, removes and restarts: nothing of the tree is ever run by root.
set -uo pipefail
umask 022
# What programs say is read.
export LC_ALL=C.UTF-8
here=$(dirname "$(readlink -f "$0")")

checkout=$(readlink -f "${CIS490_CHECKOUT:-/opt/cis490}")
config=${CIS490_CONFIG:-/etc/cis490/lab-host.toml}
unit=${CIS490_UNIT:-cis490-orchestrator} reporter=cis490-doctor-check
user=${CIS490_USER:-cis490}
# Seconds: in which the new version has to be healthy, and for how long; in which running transfers have to end a part; in which
# the daemon sees a pause.
# The unit may take five minutes to start, with a large outbox.
start_patience=${CIS490_START_PATIENCE:-330}
patience=${CIS490_PATIENCE:-90} settle=${CIS490_SETTLE:-5} lull=${CIS490_LULL:-600} notice=${CIS490_NOTICE:-2}
most_tries=3

# Beside the checkout, so that a rename is enough.
work=$checkout.update
new=$work/new old=$work/old failed=$work/failed npm=$work/npm journal=$work/journal tried=$work/tried
agent=packages/agent/bin/cis490-agent
from='' to='' active='' reason='' report=''

# All of it is read before anything is renamed.
# shellcheck source-path=SCRIPTDIR
. "$here/autoupdate/basics.sh"
# shellcheck source-path=SCRIPTDIR
. "$here/autoupdate/prepare.sh"
# shellcheck source-path=SCRIPTDIR
. "$here/autoupdate/swap.sh"
# shellcheck source-path=SCRIPTDIR
. "$here/autoupdate/others.sh"

clean_up() {
  [ ! -e "$journal" ] || (undo rolled-back "$cut")
  resume
  # After a way back that failed it may hold the tree that worked.
  [ -e "$journal" ] || rm -rf "$new" "$failed"
}

update() { # run or --now
  local branch
  [ -r "$config" ] || { say 3 "$config cannot be read" && exit 3; }
  branch=$(value_of update branch main)
  step_look "$branch"
  step_fetch "$branch"
  step_allow "$1"
  step_others
  step_clone "$branch"
  step_modules
  step_try
  step_lull
  step_journal
  step_stop
  step_swap
  step_start
  step_judge
  step_settle
  finish updated "${from:0:12} to ${to:0:12}"
}

main() {
  case ${1:-run} in
  run | repair | --now) ;;
  *) echo "usage: $0 [run | --now | repair]" >&2 && exit 2 ;;
  esac
  # The caller's folder may be one that an update has removed since.
  cd / || exit 3
  { mkdir -p "$work" && exec 9>>"$work/lock"; } || finish failed "$work cannot be written"
  flock --nonblock 9 || { say 6 'another run is at work' && exit 0; }
  trap 'exit 143' TERM INT HUP
  # Whatever is here is left over from a run that was killed.
  clean_up
  # A way back that failed is tried again by the next run, and nothing else before: what is here may be all that works.
  [ ! -e "$journal" ] || exit 3
  trap clean_up EXIT
  [ "${1:-run}" = repair ] || update "${1:-run}"
}

main "$@"
exit
