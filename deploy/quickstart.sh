#!/usr/bin/env bash
# From a fresh Debian 12 to a simulated LLM deployment: installs the packages that are missing, builds
# Release, starts a server on loopback, runs the first example through it and prints the report.
# Run it again at will: what is done is not done twice.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
case ${1:-} in
  -h | --help) sed -n '2,4s/^# //p' "$0"; exit 0 ;;
  '') ;;
  *) echo "quickstart.sh: takes no arguments; see --help" >&2; exit 2 ;;
esac
step() { printf '\n\033[1m==> %s\033[0m\n' "$*" >&2; }

step "Debian packages"
"$root/deploy/install-packages.sh"

step "Build (Release, build/release)"
cd "$root"
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
cmake --preset release > /dev/null
cmake --build --preset release --target tokensim tokensimd
bin=$root/build/release/bin

step "Dashboard (clients/web/dist)"
"$root/clients/web/build.sh" >&2 || [[ $? -eq 77 ]]  # 77: there is no Node.js 20

step "Start tokensimd on loopback"
work=$root/build/quickstart
mkdir -p "$work"
rm -f "$work/ports.json"
"$bin/tokensimd" --listen 127.0.0.1:0 --http 127.0.0.1:0 --admin 127.0.0.1:0 --port-file "$work/ports.json" \
  --store "sqlite:$work/tokensimd.db" \
  2> "$work/tokensimd.log" &
server=$!
stop_server() {
  kill -TERM "$server" 2> /dev/null || true
  wait "$server" 2> /dev/null || true
}
trap stop_server EXIT
for _ in $(seq 100); do
  [[ -s $work/ports.json ]] && break
  kill -0 "$server" 2> /dev/null || { cat "$work/tokensimd.log" >&2; exit 1; }
  sleep 0.1
done
[[ -s $work/ports.json ]] || { echo "tokensimd did not start; see $work/tokensimd.log" >&2; exit 1; }
port=$(sed -n 's/.*"grpc_port": *\([0-9]*\).*/\1/p' "$work/ports.json")
address=127.0.0.1:$port
echo "tokensimd (pid $server) listens on $address; log: $work/tokensimd.log" >&2

spec=configs/examples/llama2-7b-a100-sharegpt.yaml
step "tokensim run $spec"
"$bin/tokensim" run "$spec" --server "$address" \
  --events "$work/events.jsonl" --requests "$work/requests.csv"
echo "Events and memory snapshots: $work/events.jsonl ($(wc -l < "$work/events.jsonl") events)" >&2
echo "One row per request:         $work/requests.csv" >&2

step "Stop the server"
stop_server
trap - EXIT

cat >&2 <<NEXT

Next:
  build/release/bin/tokensim run $spec --local --set workload.arrival.poisson.rate_per_second=16
  build/release/bin/tokensim run $spec --local --assert 'ttft.p99 <= 500ms'
  build/release/bin/tokensim catalog            # models, hardware, schedulers to choose from
  build/release/bin/tokensimd &                 # a server on 127.0.0.1:50051, metrics on :9464,
                                                # its dashboard at http://127.0.0.1:8080
  build/release/bin/tokensim run $spec          # ... and runs through it
  docs/spec.md explains the configuration file; docs/cli.md the commands.
NEXT
