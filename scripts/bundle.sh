#!/usr/bin/env bash
# Makes one archive of a commit with everything that it runs with, for hosts without a registry.
#
#   bundle.sh [COMMIT] [--out DIR]     writes DIR/<commit>.tar.zst and <commit>.tar.zst.sha256; without COMMIT: of HEAD
#
# For machines of this one's architecture. The same commit gives the same bytes wherever the same npm and zstd make it.
set -euo pipefail
umask 022

commit=HEAD out=.
while [ $# -gt 0 ]; do
  case $1 in
  --out) out=${2:?--out needs a folder} && shift 2 ;;
  -*) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
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
git -C "$root" archive --prefix=cis490/ "$commit" | tar --extract --directory "$place"
(cd "$place/cis490" && "${CIS490_NPM:-npm}" ci --omit=dev --ignore-scripts --no-audit --no-fund --silent)
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
