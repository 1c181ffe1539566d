# shellcheck shell=bash
# The units of one side, its drop-ins, and the message catalogue of the journal.

# Units of this side: all that the checkout has. Which names there should be, so that an absent one is said.
units_of_side() {
  local pattern path
  for pattern in "${unit_patterns[@]}"; do
    for path in "$files"/etc/systemd/$pattern; do
      [ ! -f "$path" ] || basename "$path"
    done
  done
}

say_absent_units() {
  local name
  for name in "${expected_units[@]}"; do
    [ -f "$files/etc/systemd/$name" ] || say skipped "$name: this commit has none"
  done
}

unit_there() { cmp -s "$files/etc/systemd/$1" "$unit_dir/$1"; }
enabled() { systemctl --root=/ is-enabled -q "$1" 2>/dev/null; }

# All are there before one is enabled: they name each other. What somebody has disabled stays so: only new ones are enabled.
place_units() {
  local unit new=()
  for unit; do
    if [ ! -e "$unit_dir/$unit" ] && grep -q '^\[Install\]' "$files/etc/systemd/$unit"; then new+=("$unit"); fi
  done
  for unit; do install -D -m 644 "$files/etc/systemd/$unit" "$unit_dir/$unit"; done
  [ "${#new[@]}" -eq 0 ] || systemctl --root=/ enable "${new[@]}"
}

install_units() {
  local unit others=() word=would
  while read -r unit; do
    if ! unit_there "$unit"; then
      others+=("$unit")
    elif enabled "$unit"; then
      say already "$unit"
    else
      say already "$unit (disabled on this machine: sudo systemctl enable --now $unit)"
    fi
  done < <(units_of_side)
  if [ "${#others[@]}" -gt 0 ] && [ "$dry_run" = no ]; then
    quietly "units: ${others[*]}" place_units "${others[@]}"
    word='done' changed=yes
  fi
  for unit in "${others[@]}"; do say "$word" "$unit"; done
  say_absent_units
}

# dropin_text FOLDER...: what lies outside of the state folder has to be named, or the unit sees it read-only.
dropin_text() {
  local path outside=()
  for path; do
    if [ -n "$path" ] && ! inside "$path" "$state"; then outside+=("$path"); fi
  done
  [ -n "$own_node" ] || [ "${#outside[@]}" -gt 0 ] || return 0
  printf '# Made by the installer; settings of your own belong in another file of this folder.\n[Service]\n'
  [ -z "$own_node" ] || printf 'Environment=CIS490_NODE=%s\n' "$own_node"
  for path in "${outside[@]}"; do
    printf 'ReadWritePaths=%s\n' "$path"
    case $path in /home/* | /root/*) printf 'ProtectHome=no\n' ;; esac
  done
}

dropin_file() { printf '%s/%s.d/10-install.conf' "$unit_dir" "$1"; }
dropin_is() {
  if [ -s "$scratch/dropin" ]; then cmp -s "$scratch/dropin" "$(dropin_file "$1")"; else [ ! -e "$(dropin_file "$1")" ]; fi
}
dropin_make() {
  if [ -s "$scratch/dropin" ]; then
    install -D -m 644 "$scratch/dropin" "$(dropin_file "$1")"
  else
    rm -f "$(dropin_file "$1")"
    rmdir --ignore-fail-on-non-empty "$unit_dir/$1.d"
  fi
}

# install_dropins FOLDER...: the same for each service of this side.
install_dropins() {
  local unit
  dropin_text "$@" >"$scratch/dropin"
  while read -r unit; do
    case $unit in *.service) ;; *) continue ;; esac
    [ -s "$scratch/dropin" ] || [ -e "$(dropin_file "$unit")" ] || continue
    step "$unit: own folders and runtime" dropin "$unit"
  done < <(units_of_side)
}

catalog_dir=/usr/local/lib/systemd/catalog
catalogs() { find "$files/etc" -name '*.catalog' -type f 2>/dev/null; }
catalog_is() { cmp -s "$1" "$catalog_dir/$(basename "$1")"; }
catalog_make() {
  install -D -m 644 "$1" "$catalog_dir/$(basename "$1")"
  journalctl --update-catalog
}
install_catalogs() {
  local file
  while read -r file; do step "messages of the journal: $(basename "$file")" catalog "$file"; done < <(catalogs)
}

# What starts by itself: the daemon and the timers.
startable() {
  local unit
  while read -r unit; do
    # What runs once at boot is not started.
    if grep -q '^\[Install\]' "$files/etc/systemd/$unit" && ! grep -q '^Type=oneshot' "$files/etc/systemd/$unit" && enabled "$unit"; then
      echo "$unit"
    fi
  done < <(units_of_side)
}

started_is() {
  [ "$changed" = no ] || return 1
  local unit
  for unit in $(startable); do systemctl is-active -q "$unit" || return 1; done
}
started_make() {
  systemctl daemon-reload
  # One that runs takes up the new code and the new unit.
  # shellcheck disable=SC2046 # a list of units
  systemctl restart $(startable)
}

start_units() {
  if [ "$no_start" = yes ]; then
    say skipped 'start: --no-start'
  elif ! systemd_runs && [ "$dry_run" = no ]; then
    say skipped 'start: systemd does not run here; the units are enabled and start at the next boot'
  else
    step "started: $(startable | tr '\n' ' ')" started
  fi
}
