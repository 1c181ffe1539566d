# shellcheck shell=bash
# The way back: what the installer made goes, data stays unless --purge.

units_gone_is() { [ -z "$(installed_units)" ]; }
units_gone_make() {
  local unit
  for unit in $(installed_units); do
    if systemd_runs; then systemctl stop "$unit"; fi
    systemctl --root=/ disable -q "$unit" || true
    rm -f "$unit_dir/$unit" "$(dropin_file "$unit")"
    [ ! -d "$unit_dir/$unit.d" ] || rmdir --ignore-fail-on-non-empty "$unit_dir/$unit.d"
  done
  if systemd_runs; then systemctl daemon-reload; fi
}

# Timers before their services, or one could start while its service is stopped.
installed_units() {
  local pattern path ending
  for ending in timer service; do
    for pattern in "${unit_patterns[@]}"; do
      for path in "$unit_dir"/${pattern%.*}.$ending; do
        [ ! -f "$path" ] || basename "$path"
      done
    done
  done | awk '!seen[$0]++'
}

other_side_here() { [ -e "$unit_dir/$other_unit" ]; }

# Code that is nowhere else is not thrown away.
checkout_is_spare() {
  [ -d "$home/.git" ] || return 0
  local changed
  printf '[safe]\ndirectory = *\n' >"$scratch/gitconfig"
  # Not as root: its configuration, which is its owner's, may name programs that a status runs.
  changed=$(unprivileged env GIT_CONFIG_GLOBAL="$scratch/gitconfig" git -C "$home" status --porcelain 2>/dev/null) || return 1
  [ -z "$changed" ] && [ -n "$(commit_of "$home" branch -r --contains HEAD | head -n 1)" ]
}

remove_manual() {
  local pages=()
  mapfile -t pages < <(manual_files)
  removal 'manual pages and completion' "${pages[@]}"
  if [ "$dry_run" = no ]; then
    (cd /usr/local/share && rmdir -p --ignore-fail-on-non-empty man/man1 bash-completion/completions zsh/site-functions 2>/dev/null) || true
  fi
}

remove_shared() {
  if other_side_here; then
    say kept "$home, user $user: ${other_unit} is installed here too"
    return
  fi
  if compgen -G "$catalog_dir/cis490*.catalog" >/dev/null; then
    removal 'messages of the journal' "$catalog_dir"/cis490*.catalog
    if [ "$dry_run" = no ]; then journalctl --update-catalog >/dev/null 2>&1 || true; fi
  fi
  removal "updater in $updater" "$updater"
  removal "cache $cache" "$cache"
  if checkout_is_spare; then
    removal "checkout $home" "$home" "$home.new" "$home.update"
  else
    say kept "$home: it has changes that are nowhere else"
  fi
}

# purge FOLDER_OR_FILE...: of this side; the shared ones go with the last side.
remove_data() {
  local path
  if [ "$purge" = no ]; then
    for path in "$state" "$etc" "$@"; do
      if [ -e "$path" ] && { [ "$path" = "$state" ] || [ "$path" = "$etc" ] || ! { inside "$path" "$state" || inside "$path" "$etc"; }; }; then say kept "$path ($(du -sh "$path" 2>/dev/null | cut -f1))"; fi
    done
    if user_is; then say kept "user $user, who owns them; --uninstall --purge removes all of it"; fi
    return
  fi
  if other_side_here; then
    removal 'data and configuration of this side' "$@"
  else
    removal 'data and configuration' "$state" "$etc" "$@"
    if user_is && [ "$dry_run" = no ]; then
      quietly "remove user $user" delete_user
      say 'done' "removed user $user"
    fi
  fi
}

delete_user() {
  local member
  for member in $(getent group "$user" | cut -d: -f4 | tr , ' '); do gpasswd -d "$member" "$user"; done
  userdel "$user"
  if getent group "$user"; then groupdel "$user"; fi
}
