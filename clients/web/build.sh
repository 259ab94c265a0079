#!/usr/bin/env bash
# Builds the dashboard into clients/web/dist, which tokensimd serves. Needs Node.js 20 with npm, and protoc.
# Exits with 77 when they are not there: the server works without the dashboard.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
if ! command -v node > /dev/null || ! command -v npm > /dev/null; then
  echo "the dashboard is left out: there is no Node.js with npm" >&2
  exit 77
fi
version=$(node --version)
major=${version#v}
if [[ ${major%%.*} -lt 20 ]]; then
  echo "the dashboard is left out: it needs Node.js 20, this is $version" >&2
  exit 77
fi
# Packages are installed again only when the lock file has changed. The registry may be slow.
stamp=node_modules/.installed
if ! cmp -s package-lock.json "$stamp"; then
  install=(npm ci --no-audit --no-fund --loglevel=error)
  "${install[@]}" || "${install[@]}" || {
    echo "the dashboard is left out: its packages cannot be installed from the npm registry" >&2
    exit 77
  }
  cp package-lock.json "$stamp"
fi
npm run --silent build
