#!/usr/bin/env bash
# Lint, types, every test. Debian packages that tests run against are installed where this user may, and named where not.
set -euo pipefail
cd "$(dirname "$0")/.."

declare -A package_of=([zstd]=zstd [curl]=curl [tar]=tar [git]=git [openssl]=openssl
  [gcc]='gcc libc6-dev' [mkfs.ext4]=e2fsprogs [mkfs.xfs]=xfsprogs [shellcheck]=shellcheck [setfacl]=acl)
missing=()
for program in "${!package_of[@]}"; do
  command -v "$program" >/dev/null && continue
  read -ra packages <<<"${package_of[$program]}" && missing+=("${packages[@]}")
done
if [ "${#missing[@]}" -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing Debian packages: ${missing[*]}"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  else
    echo "these Debian packages are missing and the tests that need them are left out: ${missing[*]}" >&2
  fi
fi

npm run --silent lint
npm run --silent types
exec npm run --silent unit -- "$@"
