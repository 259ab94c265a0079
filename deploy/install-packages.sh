#!/usr/bin/env bash
# Installs the Debian packages of deploy/packages.txt that are missing. Does nothing, quickly, when
# all are there. Uses sudo when not root.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

if ! command -v dpkg-query > /dev/null; then
  echo "install-packages: this is not a Debian system; install the equivalents of" \
       "deploy/packages.txt by hand" >&2
  exit 1
fi
missing=()
while read -r package; do
  [[ -z $package || $package == \#* ]] && continue
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null || true)
  [[ $status == installed ]] || missing+=("$package")
done < "$here/packages.txt"
[[ ${#missing[@]} -eq 0 ]] && exit 0

echo "Installing ${#missing[@]} Debian packages: ${missing[*]}" >&2
as_root=()
if [[ $(id -u) -ne 0 ]]; then
  command -v sudo > /dev/null || { echo "install-packages: not root and no sudo" >&2; exit 1; }
  as_root=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { "${as_root[@]}" apt-get update -q &&
       "${as_root[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}"; } \
     > "$log" 2>&1; then
  cat "$log" >&2
  echo "install-packages: apt-get failed" >&2
  exit 1
fi
