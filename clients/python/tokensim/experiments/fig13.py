"""Figure 13: who uses its KV memory, and when."""

from tokensim import plots
from tokensim.experiments.experiment import Check, Experiment, Outcome
from tokensim.table import Table

MEMORY = "workers.prefill.hardware.memory_bytes"


def run(e: Experiment) -> Outcome:
    sizes = e["prefill_memory_gib"]
    results = {load: e.run_many([{**changes, MEMORY: f"{size}GiB"} for size in sizes])
               for load, changes in e["loads"].items()}
    rows = []
    for load, runs in results.items():
        for size, result in zip(sizes, runs):
            prefill, decode = result.report.workers[0], result.report.workers[1:]
            rows.append({"load": load, "prefill_memory_gib": size, "prefill_kv_blocks": prefill.kv_blocks_total,
                         "requests_per_second": result["throughput.requests_per_second"],
                         "slo_attainment": result["slo.attainment"],
                         "prefill_kv_mean": prefill.mean_kv_utilization,
                         "prefill_kv_max": prefill.max_kv_blocks_used / prefill.kv_blocks_total,
                         "decode_kv_mean": sum(w.mean_kv_utilization for w in decode) / len(decode),
                         "decode_kv_max": max(w.max_kv_blocks_used / w.kv_blocks_total for w in decode),
                         "preemptions": result["requests.preemptions"]})
    table = Table.from_rows(rows)
    # The whole memory of the prefill worker.
    pictures = {f"fig13-{load}": plots.kv_over_time(runs[0]) for load, runs in results.items()}
    return Outcome({"fig13": table}, pictures, _judge(e, table))


def _judge(e: Experiment, table: Table):
    sizes = e["prefill_memory_gib"]
    carried, literal = (table.where(load=load).rows() for load in ("carried", "literal"))

    def throughputs(rows) -> str:
        return ", ".join(f"{s} GiB: {r['requests_per_second']:.2f}/s" for s, r in zip(sizes, rows))

    def spread(rows) -> float:
        rates = [r["requests_per_second"] for r in rows]
        return max(rates) / min(rates) - 1
    whole, overloaded = carried[0], literal[0]
    return [
        Check("at a load that is carried a prefill worker uses less than 3 % of its KV memory, decode workers most",
              whole["prefill_kv_max"] < 0.03 and whole["decode_kv_max"] > 10 * whole["prefill_kv_max"],
              f"prefill at most {whole['prefill_kv_max']:.1%}, decode at most {whole['decode_kv_max']:.0%}"),
        Check("less memory for prefill leaves the throughput unchanged (within 0.5 %), down to the smallest tried",
              spread(carried) < 0.005, throughputs(carried)),
        Check("half of the memory does so under the paper's load, too, 10,000 requests in 60 s (within 0.5 %)",
              spread(literal[:2]) < 0.005, throughputs(literal)),
        Check("under the paper's load the prefill worker's memory is full", overloaded["prefill_kv_max"] > 0.95,
              f"mean {overloaded['prefill_kv_mean']:.0%}, most {overloaded['prefill_kv_max']:.0%}; decode mean "
              f"{overloaded['decode_kv_mean']:.0%}",
              differs="a prefill worker keeps the KV cache of a request until a decode worker has room for it, and at "
                      "more than six times the capacity none has: back-pressure. The paper's picture needs a place "
                      "between them, or a load that is carried"),
    ]
