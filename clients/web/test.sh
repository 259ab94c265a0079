#!/usr/bin/env bash
# Tests of the dashboard that build.sh has built: `check` its types, `unit`, or `browser`, which drives Chromium against
# a tokensimd of $TOKENSIM_BIN_DIR. Exits with 77 when what it needs is not there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
[[ -f dist/index.html ]] || { echo "the dashboard is not built" >&2; exit 77; }
case ${1:?check, unit or browser} in
  check) exec npx tsc --noEmit ;;
  unit) exec npx vitest run --dir test --testTimeout 60000 ;;
  browser)
    chromium=${CHROMIUM:-/usr/bin/chromium}
    [[ -x $chromium ]] || { echo "there is no $chromium" >&2; exit 77; }
    exec node --test e2e/
    ;;
esac
