# shellcheck shell=bash
# What makes a machine a lab host: its configuration, certificate, recorder and the units of this side.

main_unit=cis490-orchestrator.service
other_unit=cis490-receiver.service
unit_patterns=('cis490-orchestrator*.*' 'cis490-doctor-check*.*' 'cis490-autoupdate*.*' 'cis490-update*.*' 'cis490-cert-fetch*.*')
expected_units=(cis490-orchestrator.service cis490-doctor-check.timer cis490-autoupdate.timer cis490-cert-fetch.timer)
programs=(agent)
config=$etc/lab-host.toml
tls=$state/agent/tls

host_name='^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$'
token_form='^[0-9a-f]{8}\.[A-Za-z0-9_-]{43}\.[0-9a-f]{64}$'

check_all() {
  check_machine
  check_node
  check_checkout
  check_room
  take_npm=no
  libraries_come || take_npm=yes
  check_packages
  host_asked=$host
  host=${host:-$(hostname -s 2>/dev/null || cat /etc/hostname)}
  host=${host,,}
  [[ $host =~ $host_name ]] || problem "--host $host: a host name is letters, digits, dots and hyphens"
  check_recorder
  if [ -e "$config" ]; then
    check_present
  else
    check_new
  fi
  check_token
}

check_new() {
  case $receiver in
    '') problem '--receiver URL is missing, like --receiver https://receiver.lab:8443' ;;
    "https://"?*) [[ ! $receiver =~ [[:space:]\"\\] ]] || problem "--receiver $receiver: that is no address" ;;
    *) problem "--receiver $receiver: an address begins with https://" ;;
  esac
  case $episodes in
    '' | /*) [[ ! $episodes =~ [[:space:]\"\\] ]] || problem "--episodes $episodes: a path without blanks, please" ;;
    *) problem "--episodes $episodes: write the whole path" ;;
  esac
}

# The file is the operator's now: an option that says something else is said, never written.
check_present() {
  local pair have
  for pair in "receiver url $receiver --receiver" "host name $host_asked --host" "paths episodes $episodes --episodes"; do
    read -r table key want option <<<"$pair"
    [ -n "${option:-}" ] || continue
    have=$(toml "$config" "$table" "$key")
    [ "$want" = "$have" ] || skipped+=("$option $want: $config says \"$have\" and is kept; edit $table.$key there")
  done
}

# A token is asked for where a certificate is to be fetched.
wants_certificate() {
  [ -e "$config" ] || return 0
  local file
  file=$(toml "$config" receiver cert_file)
  [ "$file" = "$tls/host.crt" ] && [ ! -e "$file" ]
}

check_token() {
  if [ -n "$token_file" ]; then
    if [ ! -r "$token_file" ]; then
      problem "--token-file $token_file: not there, or not readable"
      return
    fi
    token=$(tr -d '[:space:]' <"$token_file")
  fi
  wants_certificate || return 0
  if [ -z "$token" ]; then
    problem "the token is missing: cis490-receiver token create --host $host on the receiver prints one, --token-file takes it"
  elif [[ ! $token =~ $token_form ]]; then
    problem 'the token is not whole: it has three parts with dots between them, of 8, 43 and 64 characters'
  fi
}

check_recorder() {
  [ -n "$recorder" ] || return 0
  getent passwd "$recorder" >/dev/null || problem "--recorder-user $recorder: there is no such user"
  [ "$recorder" != root ] || problem '--recorder-user root: root needs nothing; name the user who records'
}

# effective KEY: a folder as the configuration has it.
effective() {
  local have
  have=$(toml "$config" paths "$1")
  if [ -n "$have" ]; then printf '%s' "$have"; return; fi
  case $1 in
    episodes) printf '%s' "${episodes:-$state/episodes}" ;;
    outbox) printf '%s' "$state/outbox" ;;
    state) printf '%s' "$state/agent" ;;
  esac
}

install_folders() {
  step "folder $etc" folder "$etc" 750 root "$user"
  step "folder $etc/doctor.d" folder "$etc/doctor.d" 755 root root
  step "folder $state" folder "$state" 750 "$user" "$user"
  step "folder $(effective state)" folder "$(effective state)" 750 "$user" "$user"
  step "folder $(effective outbox)" folder "$(effective outbox)" 750 "$user" "$user"
  # The group, and whatever is made in it belongs to the group too. A folder that is the site's already is left as it is.
  if inside "$(effective episodes)" "$state" || [ ! -d "$(effective episodes)" ]; then
    step "folder $(effective episodes)" folder "$(effective episodes)" 2770 "$user" "$user"
  fi
}

config_text() {
  cat <<TOML
# Every key: OPERATIONS.md. Check: cis490-agent check-config. The installer writes this file once and never again.

[host]
name = "$host"

[receiver]
url = "$receiver"
ca_file = "$tls/ca.crt"
cert_file = "$tls/host.crt"
key_file = "$tls/host.key"

[paths]
episodes = "${episodes:-$state/episodes}"
TOML
}
config_is() { [ -e "$config" ]; }
config_make() {
  config_text >"$scratch/lab-host.toml"
  file_make "$config" 640 "$user" "$scratch/lab-host.toml"
}

install_config() {
  step "$config" config
  local line
  for line in "${skipped[@]}"; do say kept "$line"; done
}

certificate_is() { ! wants_certificate; }
# The token goes through a file that only the user of the services reads: a child's arguments are seen by all.
certificate_make() {
  local file=$scratch/token
  install -m 600 -o "$user" /dev/null "$file"
  printf '%s\n' "$token" >"$file"
  as_user /usr/local/bin/cis490-agent fetch-cert --config "$config" --token-file "$file"
  rm -f "$file"
}
install_certificate() { step 'certificate of this host' certificate; }

# The recorder is in the group, its folders belong to the group, and whatever mask it has, the user of the services may delete there.
recorder_is() {
  local folder
  folder=$(effective episodes)
  id -nG "$recorder" 2>/dev/null | tr ' ' '\n' | grep -qx "$user" && [ -g "$folder" ] &&
    getfacl -cp "$folder" 2>/dev/null | grep -qx "default:user:$user:rwx"
}
recorder_make() {
  local folder
  folder=$(effective episodes)
  usermod -a -G "$user" "$recorder"
  chgrp "$user" "$folder"
  chmod g+rwxs "$folder"
  setfacl -R -m "u:$user:rwX,g:$user:rwX,d:u:$user:rwx,d:g:$user:rwx" "$folder"
  find "$folder" -type d -exec chmod g+s {} +
}
install_recorder() {
  [ -n "$recorder" ] || return 0
  step "what $recorder records can be deleted after its receipt" recorder
}

# The end: what the doctor says, and its exit code.
look() {
  if [ "$dry_run" = yes ]; then
    say would 'ask the doctor: cis490-agent doctor'
    return
  fi
  local status=0
  echo
  as_user /usr/local/bin/cis490-agent doctor --config "$config" || status=$?
  exit "$status"
}
