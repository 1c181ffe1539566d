#!/usr/bin/env bash
# Makes this machine the receiver of a fleet, or brings it up to date: user, program, configuration, CA, units. No questions; as often as wanted.
# shellcheck source-path=SCRIPTDIR
set -euo pipefail
program=${0##*/}
source=$(readlink -f "$(dirname "$(readlink -f "$0")")/..")

help() {
  cat <<'HELP'
install-receiver.sh --name NAME [--listen ADDRESS:PORT] [--forgejo-url URL | --repo DIR] [--branch NAME]
  [--node PATH] [--no-start] [--dry-run]
install-receiver.sh                     again, on a receiver that is installed: after an update, or to mend
install-receiver.sh --uninstall [--purge] [--dry-run]

  --name NAME           the name, or address, by which hosts reach it; several with commas
  --listen ADDRESS:PORT where it listens; 0.0.0.0:8443
  --forgejo-url URL     the repository whose commits are let in, like https://forge.lab/spectral/CIS490
  --repo DIR            a git repository on this machine instead; /opt/cis490 itself
  --branch NAME         its branch that counts; main
  --node PATH           a Node of your own, 24 or newer, instead of the one that comes with the packages
  --no-start            install and enable, start nothing
  --dry-run             say what would be done
  --uninstall           take it off; data, configuration and user stay. --purge: these too, also the store and the CA

Each step is a line: done, already, would, skipped, kept or failed. It ends with a look at the running receiver.
A fleet with a CA of its own: write /etc/cis490/receiver.toml first, then no option is needed.
Exit codes: 0 well, 1 the receiver is not ready, 2 usage, 3 refused or stopped.
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
# shellcheck source=install/receiver.sh
. "$source/scripts/install/receiver.sh"

names='' listen='' forge='' repo='' branch='' own_node='' no_start=no uninstall=no purge=no
read_options() {
  while [ $# -gt 0 ]; do
    case $1 in
      --name | --listen | --forgejo-url | --repo | --branch | --node)
        need_value "$1" $# "${2-}"
        case $1 in
          --name) names=$2 ;;
          --listen) listen=$2 ;;
          --forgejo-url) forge=${2%/} ;;
          --repo) repo=${2%/} ;;
          --branch) branch=$2 ;;
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
  [ -z "$forge" ] || [ -z "$repo" ] || usage_error '--forgejo-url and --repo are two sources of the same: give one'
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
  step 'cis490-receiver on the path' launcher receiver
  step 'cis490-fleet on the path' launcher fleet
  install_folders
  install_config
  step 'CA and server certificate' authority
  install_units
  install_dropins "$(effective_state)"
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
  removal 'cis490-receiver and cis490-fleet on the path' /usr/local/bin/cis490-receiver /usr/local/bin/cis490-fleet
  remove_manual
  remove_shared
  local store entries=()
  store=$(effective_state)
  # Of a folder that a host's agent shares, what is its own stays.
  [ ! -d "$store" ] || mapfile -t entries < <(find "$store" -mindepth 1 -maxdepth 1 ! -name agent ! -name outbox)
  if [ "$purge" = yes ]; then
    remove_data "${entries[@]}" "$config" "$fleet_config"
  elif inside "$store" "$state"; then
    remove_data
  else
    remove_data "$store"
  fi
}

main() {
  read_options "$@"
  begin_work
  if [ "$uninstall" = yes ]; then remove_all; else install_all; fi
}

main "$@"
exit 0
