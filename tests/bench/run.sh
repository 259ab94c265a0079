#!/usr/bin/env bash
# Builds and runs the benchmarks (Release) and prints their figures. Nothing is asserted.
#
#   tests/bench/run.sh [REPETITIONS]    default 5; medians are printed
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
repetitions=${1:-5}
cd "$root"
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
cmake --preset release > /dev/null
cmake --build --preset release --target bench > /dev/null
out=build/release/test
bin=build/release/bin

echo "machine: $(nproc) x $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)," \
     "load $(cut -d' ' -f1 /proc/loadavg), $(date +%F)"
flags=(--benchmark_repetitions="$repetitions" --benchmark_report_aggregates_only=true)
medians() { grep -E '^(Benchmark|.*_median)' | sed 's/_median//'; }
echo
echo "## Engine (one core)"
"$out/engine_bench" "${flags[@]}" 2> /dev/null | medians
echo
echo "## One decision of each global policy, over 64 and 1,000 workers"
"$out/routing_bench" "${flags[@]}" 2> /dev/null | medians
echo
echo "## Compute model tiled (one core)"
"$out/tiled_bench" "${flags[@]}" 2> /dev/null | medians
echo
echo "## Replay and encoding (one core)"
"$out/replay_bench" "${flags[@]}" 2> /dev/null | medians

echo
echo "## Memory and wall time of whole commands"
measure() {  # label, command...
  local label=$1 log
  shift
  log=$(mktemp)
  for _ in $(seq "$repetitions"); do
    /usr/bin/python3 - "$@" >> "$log" <<'PY'
import resource, subprocess, sys, time
begin = time.monotonic()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
wall = time.monotonic() - begin
print(f"{wall:.4f} {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f}")
PY
  done
  sort -n "$log" | awk -v label="$label" '{ w[NR] = $1; m[NR] = $2 }
    END { i = int((NR + 1) / 2); printf "%-48s %8.1f ms  %6d MB\n", label, w[i] * 1000, m[i] }'
  rm -f "$log"
}
examples=configs/examples
measure "run --local, 2,000 requests" "$bin/tokensim" run --local $examples/llama2-7b-a100-sharegpt.yaml
measure "run --local, 50,000 requests" "$bin/tokensim" run --local $examples/llama2-7b-a100-sharegpt-50k.yaml
measure "run --local, 50,000 requests, overloaded" "$bin/tokensim" run --local $examples/llama2-7b-a100-overload.yaml
measure "run --local, 64 workers, 1,000,000 requests" "$bin/tokensim" run --local $examples/cluster-64-least-requests.yaml

echo
echo "## Events through gRPC (server and client on this machine)"
ports=$(mktemp)
rm -f "$ports"
"$bin/tokensimd" --listen 127.0.0.1:0 --http 127.0.0.1:0 --admin 127.0.0.1:0 --store memory --port-file "$ports" 2> /dev/null &
server=$!
trap 'kill -TERM $server 2> /dev/null; rm -f "$ports"' EXIT
for _ in $(seq 100); do [[ -s $ports ]] && break; sleep 0.1; done
port=$(sed -n 's/.*"grpc_port": *\([0-9]*\).*/\1/p' "$ports")
for _ in $(seq "$repetitions"); do "$out/stream_bench" "127.0.0.1:$port"; done

echo
echo "## Calls and events through HTTP, beside gRPC"
http_port=$(sed -n 's/.*"http_port": *\([0-9]*\).*/\1/p' "$ports")
for _ in $(seq "$repetitions"); do "$out/http_bench" "$port" "$http_port"; done
