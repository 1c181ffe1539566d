# shellcheck shell=bash
# What makes a machine the receiver: its configuration, the fleet program's, the CA and the units of this side.

main_unit=cis490-receiver.service
other_unit=cis490-orchestrator.service
unit_patterns=('cis490-receiver*.*' 'cis490-fleet*.*')
expected_units=(cis490-receiver.service cis490-fleet-health.timer)
programs=(receiver fleet)
config=$etc/receiver.toml
fleet_config=$etc/fleet.toml

check_all() {
  check_machine
  check_node
  check_checkout
  check_room
  take_npm=no
  libraries_come || take_npm=yes
  check_packages
  if [ -e "$config" ]; then check_present; else check_new; fi
}

check_new() {
  [ -n "$names" ] || problem '--name is missing: by which name do hosts reach this machine? like --name receiver.lab'
  [[ $names =~ ^[A-Za-z0-9.,:-]*$ ]] || problem "--name $names: letters, digits, dots and hyphens, several with commas"
  listen=${listen:-0.0.0.0:8443}
  if [[ $listen =~ ^([0-9.]+|\[[0-9a-fA-F:.]+\]|[A-Za-z][A-Za-z0-9.-]*):([0-9]{1,5})$ ]] && [ "${BASH_REMATCH[2]}" -le 65535 ]; then
    check_port "${BASH_REMATCH[2]}" '--listen ADDRESS:PORT takes another one'
  else
    problem "--listen $listen: write an address and a port, like 0.0.0.0:8443"
  fi
  check_port 9490 'ops_listen of receiver.toml: write that file first'
  check_source
}

check_source() {
  if [ -n "$forge" ]; then
    [[ $forge =~ ^(https?://[A-Za-z0-9._:/-]+)/([A-Za-z0-9._-]+)/([A-Za-z0-9._-]+)$ ]] ||
      problem "--forgejo-url $forge: write the address of the repository, like https://forge.lab/spectral/CIS490"
    forge_url=${BASH_REMATCH[1]-} forge_owner=${BASH_REMATCH[2]-} forge_repo=${BASH_REMATCH[3]-}
    forge_repo=${forge_repo%.git}
  elif [ -n "$repo" ]; then
    if [[ ! $repo =~ ^/[A-Za-z0-9._/+@-]+$ ]]; then
      problem "--repo $repo: write the whole path, without blanks"
    elif [ ! -e "$repo/.git" ] && [ ! -f "$repo/HEAD" ]; then
      problem "--repo $repo: there is no git repository"
    fi
    case $repo in /home/* | /root/*) problem "--repo $repo: the unit does not see that folder" ;; esac
  fi
  [[ $branch =~ ^[A-Za-z0-9._/+-]*$ ]] || problem "--branch $branch: that is no name of a branch"
}

# In /proc/net: nothing has to be installed for it. 0A is a socket that listens.
check_port() {
  local hex
  [ "$1" -gt 0 ] || return 0
  hex=$(printf '%04X' "$1")
  ! awk -v port=":$hex" '$4 == "0A" && substr($2, length($2) - 4) == port { found = 1 } END { exit !found }' \
    /proc/net/tcp /proc/net/tcp6 2>/dev/null || problem "port $1 is taken by another program (ss -ltnp); $2"
}

# The file is the operator's now: an option that says something else is said, never written.
check_present() {
  local pair have want option key
  for pair in "listen|$listen|--listen" "version_gate.repo_path|$repo|--repo" "version_gate.branch|$branch|--branch"; do
    IFS='|' read -r key want option <<<"$pair"
    [ -n "$want" ] || continue
    have=$(toml "$config" '' "$key")
    [ "$want" = "$have" ] || skipped+=("$option $want: $config says \"$have\" and is kept; edit $key there")
  done
  local one
  for one in ${names//,/ }; do
    grep -q "^server_names.*\"$one\"" "$config" || skipped+=("--name $one: $config has other server_names and is kept; edit ca.server_names there")
  done
  [ -z "$forge" ] || grep -qF "forgejo_url = \"${forge%/*/*}\"" "$config" ||
    skipped+=("--forgejo-url $forge: $config has another one, or none, and is kept; edit version_gate there")
}

effective_state() {
  local have
  have=$(toml "$config" '' state_dir)
  printf '%s' "${have:-$state}"
}

install_folders() {
  step "folder $etc" folder "$etc" 750 root "$user"
  step "folder $state" folder "$state" 750 "$user" "$user"
  inside "$(effective_state)" "$state" || step "folder $(effective_state)" folder "$(effective_state)" 750 "$user" "$user"
}

config_text() {
  cat <<TOML
# Every key: OPERATIONS.md. Check: cis490-receiver check-config. The installer writes this file once and never again.

listen = "$listen"
state_dir = "$state"

[tls]
cert_file = "$state/tls/server.crt"
key_file = "$state/tls/server.key"

[auth]
client_ca_file = "$state/ca/ca.crt"

[ca]
cert_file = "$state/ca/ca.crt"
key_file = "$state/ca/ca.key"
server_names = ["${names//,/\", \"}"]

[version_gate]
TOML
  if [ -n "$forge" ]; then
    printf 'forgejo_url = "%s"\nrepo_owner = "%s"\nrepo_name = "%s"\n' "$forge_url" "$forge_owner" "$forge_repo"
  elif [ -n "$repo" ]; then
    printf 'repo_path = "%s"\n' "$repo"
  fi
  [ -z "$branch" ] || printf 'branch = "%s"\n' "$branch"
}
config_is() { [ -e "$config" ]; }
config_make() {
  config_text >"$scratch/receiver.toml"
  file_make "$config" 640 "$user" "$scratch/receiver.toml"
}

fleet_config_is() { [ -e "$fleet_config" ]; }
fleet_config_make() {
  printf '# Every key: OPERATIONS.md. Check: cis490-fleet check-config. The installer writes this file once and never again.\n\n' \
    >"$scratch/fleet.toml"
  printf 'state_dir = "%s"\n' "$(effective_state)" >>"$scratch/fleet.toml"
  file_make "$fleet_config" 640 "$user" "$scratch/fleet.toml"
}

install_config() {
  step "$config" config
  step "$fleet_config" fleet_config
  local line
  for line in "${skipped[@]}"; do say kept "$line"; done
}

# Where [ca] names a key. A fleet with a CA of its own has brought its certificates.
authority_is() {
  [ -e "$config" ] || return 1
  local key
  key=$(toml "$config" ca key_file)
  [ -z "$key" ] || { [ -e "$key" ] && [ -e "$(toml "$config" tls cert_file)" ]; }
}
authority_make() { as_user /usr/local/bin/cis490-receiver ca init --config "$config"; }

# The end: both configurations, and whether the receiver says that it is ready.
look() {
  if [ "$dry_run" = yes ]; then
    say would 'look at the receiver: check-config, /readyz'
    return
  fi
  local status=0 ops
  quietly 'configuration of the receiver' as_user /usr/local/bin/cis490-receiver check-config --config "$config"
  quietly 'configuration of the fleet program' as_user /usr/local/bin/cis490-fleet check-config --config "$fleet_config"
  say 'done' 'looked at both configurations'
  ops=$(toml "$config" '' ops_listen)
  if systemd_runs && [ "$no_start" = no ]; then
    as_user "$(runtime)" "$home/scripts/install/ready.ts" "http://${ops:-127.0.0.1:9490}/readyz" || status=1
  fi
  printf '\nA token for a host, good for a day: sudo -u %s cis490-receiver token create --host lab-07\n' "$user"
  exit "$status"
}
