# shellcheck shell=bash
# Read by bash before the updater (BASH_ENV): kills it, with all that it has started, at a point of its work.
# CIS490_CUT is `before:STEP`, `after:STEP`, or before a command of a function: `inside:FUNCTION:N` its N-th, `inside:FUNCTION:TEXT`
# the one that reads so.
case $0 in */autoupdate.sh)
  IFS=: read -r cut_when cut_name cut_number <<<"${CIS490_CUT-}"
  cut_passed='' cut_count=0
  cut_here() {
    local command=$1 function=$2
    case $cut_when in
    before) [[ $command == "$cut_name"* ]] ;;
    after)
      [ "$function" = update ] || return 0
      [ -z "$cut_passed" ] || kill -KILL 0
      [[ $command != "$cut_name"* ]] || cut_passed=yes
      false
      ;;
    inside)
      [ "$function" = "$cut_name" ] &&
        { [ "$command" = "$cut_number" ] || [ $((cut_count += 1)) = "$cut_number" ]; }
      ;;
    *) false ;;
    esac && kill -KILL 0
    return 0
  }
  set -T
  trap 'cut_here "$BASH_COMMAND" "${FUNCNAME[0]-}"' DEBUG
  ;;
esac
