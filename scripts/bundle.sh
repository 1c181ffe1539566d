#!/usr/bin/env bash
# Makes one archive of a commit with everything that it runs with, for hosts without a registry.
#
#   bundle.sh [COMMIT] [--out DIR]     writes DIR/<commit>.tar.zst and <commit>.tar.zst.sha256; without COMMIT: of HEAD
#
# For machines of this one's architecture. The same commit gives the same bytes wherever the same npm and zstd make it.
# Exit 0: made; 1: no such commit; 2: usage; 3: it could not be made.
set -euo pipefail
umask 022

help() { sed -n '2,7s/^# \{0,1\}//p' "$0"; }
usage_error() { echo "bundle.sh: $1; --help says more" >&2 && exit 2; }

commit=HEAD out=.
while [ $# -gt 0 ]; do
  case $1 in
  --out) [ -n "${2-}" ] || usage_error '--out needs a folder' && out=$2 && shift 2 ;;
  -h | --help) help && exit ;;
  -*) usage_error "unknown option $1" ;;
  *) commit=$1 && shift ;;
  esac
done
root=${CIS490_CHECKOUT:-$(dirname "$(dirname "$(readlink -f "$0")")")}
for program in git "${CIS490_NPM:-npm}" zstd; do
  command -v "$program" >/dev/null || { echo "bundle.sh: $program is missing: install it" >&2 && exit 3; }
done
commit=$(git -C "$root" rev-parse --verify --quiet "$commit^{commit}") || { echo "bundle.sh: there is no such commit" >&2 && exit 1; }
mkdir -p "$out"
out=$(readlink -f "$out")

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
# Modes that are the same whoever unpacks: root keeps what the archive has.
git -C "$root" -c tar.umask=0022 archive --prefix=cis490/ "$commit" | tar --extract --directory "$place"
told=$(cd "$place/cis490" && "${CIS490_NPM:-npm}" ci --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error 2>&1) ||
  { printf '%s\nbundle.sh: npm ci failed: mend what it says above, and run this again\n' "$told" >&2 && exit 3; }
# The tree has no history to tell which commit it is.
echo "$commit" >"$place/cis490/node_modules/.cis490-commit"

name=$commit.tar.zst
tar --create --directory "$place" --sort=name --mtime="@$(git -C "$root" show --no-patch --format=%ct "$commit")" \
  --owner=0 --group=0 --numeric-owner --format=posix --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime cis490 |
  zstd -q -10 -T2 -f -o "$place/$name"
(cd "$place" && sha256sum "$name" >"$name.sha256")
sync "$place/$name" "$place/$name.sha256"
mv -f "$place/$name" "$place/$name.sha256" "$out/"
echo "$out/$name"
