# shellcheck shell=bash
# What this machine has: rights, systemd, programs, the user, the runtime.

user=cis490
home=/opt/cis490
state=/var/lib/cis490
etc=/etc/cis490
cache=/var/cache/cis490
unit_dir=/etc/systemd/system

check_machine() {
  [ "$(id -u)" = 0 ] || [ "$dry_run" = yes ] || problem "root is needed: sudo $0 (--dry-run needs none)"
  command -v systemctl >/dev/null || problem 'systemd is missing: this installs systemd units; run the programs by hand, as README.md shows'
  case $source in *[[:space:]]*) problem "the path of this checkout has a blank in it: $source" ;; esac
}

# systemd as process 1, not only as a package: a chroot or a container without it can only be prepared.
systemd_runs() { [ -d /run/systemd/system ]; }

# Which programs this installation takes, with their Debian packages: without these it does not work,
needed_packages() {
  # A host from a bundle has no history to look at; a receiver may have to read one.
  if [ -e "$source/.git" ] || [ -e "$home/.git" ] || [ "$main_unit" = cis490-receiver.service ]; then echo git:git; fi
  [ "$take_npm" = no ] || [ -n "$own_npm" ] || echo npm:npm
  [ -z "${recorder:-}" ] || echo setfacl:acl
}
# and these are skipped where they are not to be had, as on a machine without a network.
helpful_packages() {
  # Without it only root may ask systemd, and the doctor is not root.
  if systemd_runs && [ ! -S /run/dbus/system_bus_socket ]; then echo dbus-daemon:dbus; fi
  # What doctor and receiver tell a person to paste begins with it. A site without it has its reasons where there is no apt.
  if systemd_runs && command -v apt-get >/dev/null; then echo sudo:sudo; fi
  # The updater of a host that takes bundles alone.
  if [ "$(toml "$config" update source)" = bundle ]; then printf '%s\n' curl:curl zstd:zstd; fi
}
wanted_packages() { needed_packages && helpful_packages; }
missing_packages() { # which
  local pair
  for pair in $("${1:-wanted}_packages"); do
    command -v "${pair%%:*}" >/dev/null || printf '%s ' "${pair#*:}"
  done
}
packages_title() {
  local pair names=''
  for pair in $(wanted_packages); do names+=" ${pair#*:}"; done
  printf 'Debian packages%s' "$names"
}

check_packages() {
  local missing
  missing=$(missing_packages needed)
  [ -z "$missing" ] || command -v apt-get >/dev/null || problem "install these first: $missing"
}

packages_is() { [ -z "$(missing_packages)" ]; }
packages_make() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q
  # shellcheck disable=SC2046 # several packages are several words
  apt-get install -y -q --no-install-recommends $(missing_packages) ||
    { [ -n "$(missing_packages needed)" ] && apt-get install -y -q --no-install-recommends $(missing_packages needed); }
}

install_packages() {
  local missing
  if [ "$dry_run" = yes ] || packages_is || [ -n "$(missing_packages needed)" ]; then
    step "$(packages_title)" packages
  elif (packages_make) >"$scratch/output" 2>&1 </dev/null; then
    say 'done' "$(packages_title)"
    changed=yes
  fi
  missing=$(missing_packages)
  if [ -n "$missing" ] && [ "$dry_run" = no ]; then
    say skipped "Debian packages ${missing% }: apt-get cannot install them here; without dbus the doctor does not see the timers, without sudo use a root shell, without curl and zstd no bundle is taken"
  fi
}

# The package alone does not start it everywhere.
bus_is() { ! systemd_runs || ! command -v dbus-daemon >/dev/null || [ -S /run/dbus/system_bus_socket ]; }
bus_make() {
  systemctl daemon-reload
  systemctl start dbus.socket
}

user_is() { getent passwd "$user" >/dev/null && getent group "$user" >/dev/null; }
user_make() {
  getent group "$user" >/dev/null || groupadd --system "$user"
  getent passwd "$user" >/dev/null ||
    useradd --system --gid "$user" --home-dir "$state" --no-create-home --shell /usr/sbin/nologin "$user"
}

# As the user of the services: nothing that this checkout brings runs as root, before there is that user as nobody.
unprivileged() {
  if [ "$(id -u)" != 0 ]; then
    "$@"
  elif user_is; then
    as_user "$@"
  else
    setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs env HOME=/nonexistent "$@"
  fi
}

as_user() {
  (cd / && { [ ! -d "$home" ] || cd "$home"; } && setpriv --reuid="$user" --regid="$user" --init-groups --no-new-privs \
    env HOME="$state" npm_config_cache="$cache/npm" NODE_COMPILE_CACHE="$cache" "$@")
}

check_node() {
  own_npm=''
  # A second run keeps the runtime of the first.
  [ -n "$own_node" ] || own_node=$(sed -n 's/^Environment=CIS490_NODE=//p' "$unit_dir/$main_unit.d/10-install.conf" 2>/dev/null || true)
  if [ -z "$own_node" ]; then
    case $(uname -m) in
      x86_64 | aarch64) ;;
      *) problem "no runtime comes with the packages for $(uname -m): name one with --node PATH" ;;
    esac
    return
  fi
  case $own_node in
    /home/* | /root/* | /tmp/* | /run/user/*) problem "--node $own_node: the units do not see that folder" ;;
    /*) ;;
    *) problem "--node $own_node: write the whole path" ;;
  esac
  if [ ! -x "$own_node" ] || [ -d "$own_node" ]; then
    problem "--node $own_node: there is no such program"
  elif [ "$("$own_node" -p 'parseInt(process.versions.node) >= 24' 2>/dev/null)" != true ]; then
    problem "--node $own_node: it is no Node >= 24 ($("$own_node" --version 2>&1 | head -n 1 | cut -c1-60))"
  fi
  # It has its npm beside it.
  [ ! -x "$(dirname "$own_node")/npm" ] || own_npm=$(dirname "$own_node")/npm
}

# The runtime of this installation.
runtime() { runtime_of "$home"; }

# Of a tree. Where an older npm, like Debian 12's, made the libraries, it did not link the program of an optional package.
runtime_of() {
  local node=${own_node:-$1/node_modules/.bin/node} pinned
  for pinned in "$1"/node_modules/node-linux-*/bin/node; do
    if [ ! -x "$node" ] && [ -z "$own_node" ] && [ -x "$pinned" ]; then node=$pinned; fi
  done
  printf '%s' "$node"
}

# toml FILE TABLE KEY: a text value of a configuration that may be there already. Enough for what the installer itself writes.
toml() {
  [ -r "$1" ] || return 0
  awk -v table="$2" -v key="$3" '
    /^[[:space:]]*\[/ { line = $0; gsub(/[][[:space:]]|#.*/, "", line); current = line; next }
    {
      at = index($0, "="); name = substr($0, 1, at - 1); gsub(/[[:space:]]/, "", name)
      full = current == "" ? name : current "." name
      wanted = table == "" ? key : table "." key
      if (at == 0 || full != wanted) next
      text = substr($0, at + 1)
      if (match(text, /"[^"]*"/)) print substr(text, RSTART + 1, RLENGTH - 2)
      exit
    }' "$1"
}

# inside PATH FOLDER
inside() { case $1/ in "$2"/*) return 0 ;; *) return 1 ;; esac; }
