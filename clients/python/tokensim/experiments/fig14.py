"""Figure 14: chats with and without a memory pool."""

from tokensim import plots
from tokensim.experiments.experiment import Check, Experiment, Outcome
from tokensim.experiments.figures import RATE, crossing
from tokensim.table import Table

INPUT = "workload.lengths.independent.input.poisson.mean"
OUTPUT = "workload.lengths.independent.output.poisson.mean"
SERVED = "throughput.requests_per_second"


def run(e: Experiment) -> Outcome:
    cases = e["cases"]
    sizes = f"{INPUT}={','.join(str(i) for i, _ in cases)}; {OUTPUT}={','.join(str(o) for _, o in cases)}"
    rates = ",".join(map(str, e["conversations_per_second"]))
    raw = e.sweep([sizes, f"{RATE}={rates}"], ["e2e.p99", SERVED, "cache.hit_ratio"],
                  variants={"pool": {"without": {}, "with": {"memory_pool": e["pool"]}}},
                  changes={"workload.num_requests": e["requests"]} if e.quick else None)
    table = Table.from_rows([{"input": r[INPUT], "output": r[OUTPUT], "pool": r["pool"],
                              "conversations_per_second": r[RATE], "turns_per_second": r[SERVED],
                              "e2e_p99_seconds": r["e2e.p99"], "hit_ratio": r["cache.hit_ratio"]} for r in raw])
    carried = Table.from_rows([_carried(e, table, i, o) for i, o in cases])
    return Outcome({"fig14": carried, "fig14-rates": table}, {"fig14": _draw(e, table), "fig14-gain": _gains(carried)},
                   _judge(carried))


def _carried(e: Experiment, table: Table, input: int, output: int):
    """Turns per second at the bound of the latency: with and without the pool the same one."""
    lines = {pool: table.where(input=input, output=output, pool=pool) for pool in ("without", "with")}
    limit = e["times_idle"] * lines["without"]["e2e_p99_seconds"][0]
    rate = {}
    for pool, line in lines.items():
        latencies = line["e2e_p99_seconds"]
        inside = [i for i, latency in enumerate(latencies) if latency <= limit]
        at = crossing(e["conversations_per_second"], latencies, limit)
        # Conversations become turns by the share of both at the last point within the bound.
        last = inside[-1]
        rate[pool] = at * line["turns_per_second"][last] / line["conversations_per_second"][last]
    return {"input": input, "output": output, "limit_seconds": limit, "turns_per_second_without": rate["without"],
            "turns_per_second_with": rate["with"], "gain": rate["with"] / rate["without"]}


def _judge(carried: Table):
    gain = {(r["input"], r["output"]): r["gain"] for r in carried}
    by_output = sorted((o, g) for (i, o), g in gain.items() if i == 128)
    return [
        Check("the pool carries 1.2 to 4 times the rate at the same P99 latency, for all lengths",
              min(gain.values()) > 1.2 and max(gain.values()) < 4,
              ", ".join(f"{i}-{o}: x{g:.2f}" for (i, o), g in gain.items())),
        Check("with outputs of 64 it carries 1.5 to 3 times the rate",
              all(1.5 < g < 3 for (_, o), g in gain.items() if o == 64),
              ", ".join(f"{i}-{o}: x{g:.2f}" for (i, o), g in gain.items() if o == 64)),
        Check("the gain grows as outputs shrink, below 64 too",
              all(a[1] > b[1] for a, b in zip(by_output, by_output[1:])),
              "inputs of 128: " + ", ".join(f"{o}: x{g:.2f}" for o, g in by_output),
              differs="the pool saves prompts, and the fewer tokens a request decodes, the larger the share of its "
                      "prompt. The 9 ms of host time that the authors' public code adds to every iteration would hide "
                      "it at small outputs (we guess)"),
    ]


def _draw(e: Experiment, table: Table):
    drawn = e["drawn"]
    picture, panels = plots.figure(columns=len(drawn), size=(1 + 2.7 * len(drawn), 3.6), sharey=True)
    for axes, (input, output) in zip(panels, drawn):
        for pool in ("without", "with"):
            part = table.where(input=input, output=output, pool=pool)
            axes.plot(part["turns_per_second"], part["e2e_p99_seconds"], label=f"{pool} pool")
        plots.log_axis(axes.xaxis)
        plots.log_axis(axes.yaxis)
        axes.set(xlabel="turns/s, served", title=f"{input}-{output}")
    panels[0].set(ylabel="P99 end-to-end latency, s")
    plots.legend(panels[0])
    return picture


def _gains(carried: Table):
    picture, axes = plots.figure(size=(7, 3.6))
    names = [f"{r['input']}-{r['output']}" for r in carried]
    for offset, pool in ((-0.2, "without"), (0.2, "with")):
        bars = axes.bar([i + offset for i in range(len(names))], carried[f"turns_per_second_{pool}"], width=0.38,
                        color=plots.COLOURS[0 if pool == "without" else 1], label=f"{pool} pool")
        axes.bar_label(bars, fmt="%.3g", fontsize=7, color=axes.xaxis.label.get_color())
    axes.set(xticks=range(len(names)), xticklabels=names, xlabel="mean input-output of a turn, tokens",
             ylabel="turns/s at 4 x the idle P99")
    axes.grid(axis="x", visible=False)
    plots.legend(axes)
    return picture
