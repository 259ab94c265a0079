#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test.
#
#   tests/run.sh                     everything, Release
#   tests/run.sh -R scheduler        only the tests whose name matches (ctest -R)
#   tests/run.sh -L unit             only the tests with this label: unit, property, meta, fuzz, e2e,
#                                    validation
#   tests/run.sh --preset asan       another preset: dev, release, asan, tsan, coverage
#   tests/run.sh --no-install        do not look at Debian packages
#
# Exits non-zero when anything fails. Tests that replay measured traces read TOKENSIM_DATA (default
# ../shared/data beside the checkout) and are skipped when it is not there; the validation prints how
# far simulations are from measured runs.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
preset=release
install=1
ctest_args=()
while [[ $# -gt 0 ]]; do
  case $1 in
    --preset) preset=${2:?--preset needs a name}; shift 2 ;;
    --no-install) install=0; shift ;;
    -R | -L | -E | -LE) ctest_args+=("$1" "${2:?$1 needs a pattern}"); shift 2 ;;
    -h | --help) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "tests/run.sh: unknown option '$1'; see --help" >&2; exit 2 ;;
  esac
done

[[ $install -eq 0 ]] || "$root/deploy/install-packages.sh"
cd "$root"
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
cmake --preset "$preset" > /dev/null
if [[ $preset == tsan ]]; then
  # gRPC and abseil come uninstrumented from Debian, so what talks through them is left out: the
  # sanitizer does not see their locks and reports races inside them.
  ctest_args+=(-LE "e2e|grpc")
  export TSAN_OPTIONS="halt_on_error=1 second_deadlock_stack=1 ${TSAN_OPTIONS:-}"
fi
cmake --build --preset "$preset"
rm -f "build/$preset/validation.txt"
status=0
ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j "$(nproc)" \
      "${ctest_args[@]}" || status=$?
[[ ! -f build/$preset/validation.txt ]] || cat "build/$preset/validation.txt"
exit "$status"
