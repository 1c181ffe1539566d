#!/usr/bin/env bash
# Makes this machine a lab host, or brings it up to date: user, program, configuration, certificate, units. No questions; as often as wanted.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail
program=${0##*/}
source=$(readlink -f "$(dirname "$(readlink -f "$0")")/..")

help() {
  cat <<'HELP'
install-lab-host.sh --receiver URL --token TOKEN | --token-file FILE
  [--host NAME] [--recorder-user USER] [--episodes DIR] [--node PATH] [--no-start] [--dry-run]
install-lab-host.sh                     again, on a host that is installed: after an update, or to mend
install-lab-host.sh --uninstall [--purge] [--dry-run]

  --receiver URL        where episodes go, like https://receiver.lab:8443
  --token-file FILE     holds what `cis490-receiver token create --host NAME` printed; /dev/stdin too
  --token TOKEN         the same on the command line, where others on this machine can see it
  --host NAME           the name of this host, for which the token was made; the machine's name
  --recorder-user USER  this user records: what it writes can be deleted here after its receipt
  --episodes DIR        where it writes; /var/lib/cis490/episodes
  --node PATH           a Node of your own, 24 or newer, instead of the one that comes with the packages
  --no-start            install and enable, start nothing
  --dry-run             say what would be done
  --uninstall           take it off; data, configuration and user stay. --purge: these too, also what was not delivered

Each step is a line: done, already, would, skipped, kept or failed. It ends with the doctor.
A host of a fleet with a CA of its own: write /etc/cis490/lab-host.toml first, then no option is needed.
Exit codes: 0 well, 1 the doctor found something, 2 usage, 3 refused or stopped.
HELP
}

# shellcheck source=install/steps.sh
. "$source/scripts/install/steps.sh"
# shellcheck source=install/machine.sh
. "$source/scripts/install/machine.sh"
# shellcheck source=install/checkout.sh
. "$source/scripts/install/checkout.sh"
# shellcheck source=install/units.sh
. "$source/scripts/install/units.sh"
# shellcheck source=install/remove.sh
. "$source/scripts/install/remove.sh"
# shellcheck source=install/lab-host.sh
. "$source/scripts/install/lab-host.sh"

receiver='' token='' token_file='' host='' recorder='' episodes='' own_node='' no_start=no uninstall=no purge=no
read_options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --receiver | --token | --token-file | --host | --recorder-user | --episodes | --node)
        need_value "$1" $# "${2-}"
        case $1 in
          --receiver) receiver=${2%/} ;;
          --token) token=$2 ;;
          --token-file) token_file=$2 ;;
          --host) host=$2 ;;
          --recorder-user) recorder=$2 ;;
          --episodes) episodes=${2%/} ;;
          --node) own_node=$2 ;;
        esac
        shift
        ;;
      --no-start) no_start=yes ;;
      --dry-run) dry_run=yes ;;
      --uninstall) uninstall=yes ;;
      --purge) purge=yes ;;
      -h | --help)
        help
        exit 0
        ;;
      *) usage_error "unknown option $1" ;;
    esac
    shift
  done
  [ -z "$token" ] || [ -z "$token_file" ] || usage_error '--token and --token-file are the same thing: give one'
  [ "$purge" = no ] || [ "$uninstall" = yes ] || usage_error '--purge belongs to --uninstall'
}

install_all() {
  check_all
  refuse_problems
  install_packages
  bus_is || step 'bus of systemd' bus
  step "user and group $user" user
  step "checkout at $home" checkout
  step "checkout belongs to $user" owner
  files=$home
  [ -d "$home" ] || files=$source
  step "folder $cache" cache
  step 'runtime and libraries (npm ci --omit=dev)' libraries
  step 'cis490-agent on the path' launcher agent
  install_folders
  install_config
  install_certificate
  install_recorder
  install_updater
  install_units
  install_dropins "$(effective episodes)" "$(effective outbox)" "$(effective state)"
  install_catalogs
  start_units
  step 'manual pages and completion' manual
  look
}

remove_all() {
  check_machine
  refuse_problems
  if [ -n "$(installed_units)" ]; then
    if [ "$dry_run" = yes ]; then say would 'stop and remove the units'; else step 'units stopped and removed' units_gone; fi
  else
    say already 'without units'
  fi
  removal 'cis490-agent on the path' /usr/local/bin/cis490-agent
  remove_manual
  remove_shared
  local recordings
  recordings=$(effective episodes)
  if inside "$recordings" "$state"; then recordings=''; fi
  remove_data "$state/agent" "$state/outbox" "$state/episodes" "$config" "$etc/doctor.d"
  if [ -n "$recordings" ] && [ -d "$recordings" ]; then say kept "$recordings, which the recorder writes"; fi
}

main() {
  read_options "$@"
  begin_work
  if [ "$uninstall" = yes ]; then remove_all; else install_all; fi
}

main "$@"
exit 0
