# shellcheck shell=bash
# The checkout at /opt/cis490, its runtime and libraries, and what the shell finds of it.

# The commit of a checkout, whoever owns it, or of an unpacked bundle.
version_of() {
  if [ -e "$1/.git" ]; then commit_of "$1" rev-parse HEAD; else cat "$1/node_modules/.cis490-commit" 2>/dev/null || true; fi
}
commit_of() {
  command -v git >/dev/null || return 0
  printf '[safe]\ndirectory = *\n' >"$scratch/gitconfig"
  GIT_CONFIG_GLOBAL=$scratch/gitconfig git -C "$1" "${@:2}" 2>/dev/null || true
}

check_checkout() {
  [ ! -e "$home.update/journal" ] ||
    problem "an update of $home is at work or was cut short: wait for its end, or undo it: sudo $updater/autoupdate.sh repair"
  [ "$source" != "$home" ] && [ -e "$home" ] || return 0
  local here there
  here=$(version_of "$source")
  there=$(version_of "$home")
  if [ ! -x "$home/scripts/${program##*/}" ]; then
    problem "$home is there and has no ${program##*/}: move it away"
  elif [ -n "$here" ] && [ "$here" != "$there" ] && [ ! -e "$home/.git" ]; then
    problem "$home is an unpacked bundle of ${there:0:12}, this is ${here:0:12}: stop the units, move $home away and run this again"
  elif [ -n "$here" ] && [ "$here" != "$there" ]; then
    problem "$home is at ${there:0:12}, this checkout at ${here:0:12}: bring it up to date and run $home/scripts/${program##*/}"
  fi
}

checkout_is() { [ -d "$home" ]; }
checkout_make() {
  local new=$home.new origin
  rm -rf "$new"
  install -d -m 755 "$(dirname "$home")"
  if [ -e "$source/.git" ]; then
    printf '[safe]\ndirectory = *\n' >"$scratch/gitconfig"
    export GIT_CONFIG_GLOBAL=$scratch/gitconfig
    git clone -q --no-hardlinks "$source" "$new"
    origin=$(git -C "$source" remote get-url origin 2>/dev/null || true)
    [ -z "$origin" ] || git -C "$new" remote set-url origin "$origin"
  else
    cp -a "$source" "$new"
  fi
  chown -hR "$user:$user" "$new"
  chmod 755 "$new"
  # A second run takes what has this name for whole.
  sync -f "$new"
  mv -T "$new" "$home"
}

# An update is made by this user; pulled as another one, some of it is not his.
owner_is() { [ -d "$home" ] && [ -z "$(find "$home" ! -user "$user" -print -quit 2>/dev/null)" ]; }
owner_make() { chown -hR "$user:$user" "$home"; }

# Of a second run: is everything there that the lock file of this commit names?
libraries_is() {
  [ "$libraries_known" = yes ] || { libraries_in "$home" && libraries_known=yes; }
}
libraries_known=no
libraries_in() {
  local node
  node=$(runtime_of "$1")
  [ -x "$node" ] && [ -f "$1/scripts/install/libraries.ts" ] &&
    unprivileged "$node" "$1/scripts/install/libraries.ts" "$1" >/dev/null 2>&1
}
# An unpacked bundle brings them, and is copied as it is.
libraries_come() {
  if [ -e "$home" ]; then libraries_is; else [ ! -e "$source/.git" ] && libraries_in "$source"; fi
}
libraries_make() {
  as_user "${own_npm:-npm}" ci --omit=dev --ignore-scripts --no-audit --no-fund
  unprivileged "$(runtime)" --version
}

check_room() {
  local free
  free=$(df -Pk "$(if [ -d "$home" ]; then echo "$home"; else echo /; fi)" | awk 'NR == 2 { print $4 }')
  [ "${free:-0}" -ge 700000 ] || problem "$((free / 1024)) MiB are free for $home, the runtime and its libraries need 700"
}

# launcher NAME: sh, so that it needs nothing but the checkout.
launcher_text() {
  cat <<SH
#!/bin/sh
# Made by the installer, which was told to take this runtime.
CIS490_NODE="\${CIS490_NODE:-$own_node}"
export CIS490_NODE
exec $home/packages/$1/bin/cis490-$1 "\$@"
SH
}
launcher_is() {
  local file=/usr/local/bin/cis490-$1
  if [ -n "$own_node" ]; then [ ! -L "$file" ] && cmp -s <(launcher_text "$1") "$file" && [ -x "$file" ]; else
    [ "$(readlink "$file" 2>/dev/null)" = "$home/packages/$1/bin/cis490-$1" ]
  fi
}
launcher_make() {
  local file=/usr/local/bin/cis490-$1
  install -d -m 755 /usr/local/bin
  rm -f "$file"
  if [ -n "$own_node" ]; then
    launcher_text "$1" >"$file"
    chmod 755 "$file"
  else
    ln -s "$home/packages/$1/bin/cis490-$1" "$file"
  fi
}

# Manual pages and completion follow from the commands' tables: made anew, and compared.
manual_is() {
  # By the time of change in the inode: an unpacked or pulled file is as new as it is here.
  local page=/usr/local/share/man/man1/cis490-${programs[0]}.1
  if [ -e "$page" ] && [ -z "$(find "$home/packages" "$home/scripts" "$home/OPERATIONS.md" -type f -cnewer "$page" -print -quit 2>/dev/null)" ]; then
    return 0
  fi
  # Written as the user of the services, and compared by root.
  [ "$(id -u)" = 0 ] && [ -x "$(runtime)" ] && user_is && libraries_is && manual_write 2>/dev/null || return 1
  local file
  while read -r file; do
    cmp -s "$file" "/usr/local/share/${file#"$scratch"/manual/}" || return 1
  done < <(find "$scratch/manual" -type f)
}
manual_write() {
  rm -rf "$scratch/manual"
  install -d -m 755 -o "$user" "$scratch/manual"
  as_user "$(runtime)" scripts/manual/main.ts "$scratch/manual" "${programs[@]/#/--program=}" >/dev/null
}
manual_make() {
  [ -e "$scratch/manual/man" ] || manual_write
  cp -r --no-preserve=ownership "$scratch/manual/." /usr/local/share/
}

# The updater lies apart from what it replaces, and root's own.
updater=/usr/local/lib/cis490
updater_is() { diff -q "$files/scripts/autoupdate.sh" "$updater/autoupdate.sh" && diff -qr "$files/scripts/autoupdate" "$updater/autoupdate"; } >/dev/null 2>&1
updater_make() {
  install -d -m 755 "$updater" "$updater/autoupdate"
  install -m 644 -t "$updater/autoupdate" "$files"/scripts/autoupdate/*
  install -m 755 -t "$updater" "$files/scripts/autoupdate.sh"
  local part
  for part in "$updater"/autoupdate/*; do
    [ -e "$files/scripts/autoupdate/${part##*/}" ] || rm -rf "$part"
  done
  # It is what mends the host after a power cut.
  sync -f "$updater"
}
install_updater() { [ ! -f "$files/scripts/autoupdate.sh" ] || step "updater in $updater" updater; }

cache_is() { folder_is "$cache" 750 "$user" "$user"; }
cache_make() { folder_make "$cache" 750 "$user" "$user"; }

manual_files() {
  local short
  for short in "${programs[@]}"; do
    printf '%s\n' "/usr/local/share/man/man1/cis490-$short.1" "/usr/local/share/bash-completion/completions/cis490-$short" \
      "/usr/local/share/zsh/site-functions/_cis490-$short"
  done
}
