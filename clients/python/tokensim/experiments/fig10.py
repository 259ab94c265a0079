"""Figure 10: goodput by max_memory_ratio."""

from tokensim import plots
from tokensim.experiments.experiment import Check, Experiment, Outcome
from tokensim.experiments.figures import RATE, by_seed, interval, mean_and_half
from tokensim.table import Table

RATIO = "local_scheduler.max_memory_ratio"
GOODPUTS = {"decode SLO": "decode_goodput", "both SLOs": "goodput"}


def run(e: Experiment) -> Outcome:
    raw = e.sweep({RATE: e["rates"], RATIO: e["ratios"], "seed": e["seeds"]},
                  ["goodput", "slo.met_max_itl", "throughput.span_seconds", "requests.preemptions"],
                  variants={"policy": e["policies"]})
    runs = Table.from_rows([{"policy": r["policy"], "rate": r[RATE], "ratio": r[RATIO], "seed": r["seed"],
                             "goodput": r["goodput"],
                             "decode_goodput": r["slo.met_max_itl"] / r["throughput.span_seconds"],
                             "preemptions": r["requests.preemptions"]} for r in raw])
    table = by_seed(runs, ["policy", "rate", "ratio"], ["goodput", "decode_goodput", "preemptions"])
    checks = [_judge(e, runs, table, policy, title) for policy in e["policies"] for title in GOODPUTS]
    return Outcome({"fig10": table, "fig10-seeds": runs}, {"fig10": _draw(e, table)}, checks)


def _judge(e: Experiment, runs: Table, table: Table, policy: str, title: str) -> Check:
    """The ratio that is best on average against 1.0, in pairs of the same seed and rate."""
    column = GOODPUTS[title]
    pairs, numbers = [], []
    for rate in e["rates"]:
        means = {r["ratio"]: r[column] for r in table.where(policy=policy, rate=rate)}
        best = max((ratio for ratio in means if ratio < 1), key=lambda ratio: means[ratio])
        inside = runs.where(policy=policy, rate=rate, ratio=best)[column]
        full = runs.where(policy=policy, rate=rate, ratio=1)[column]
        pairs += list(zip(inside, full))
        gain, half = mean_and_half([a - b for a, b in zip(inside, full)])
        numbers.append(f"{rate}/s: {means[best]:.2f} at {best} against {means[1]:.2f} at 1.0, "
                       f"{gain:+.2f} +- {half:.2f} req/s in pairs")
    wins = sum(a > b for a, b in pairs)
    better = sum(a - b for a, b in pairs) > 0 and wins >= 0.7 * len(pairs)
    return Check(f"{policy}, {title}: a ratio below 1 beats 1.0 on average and in most pairs of a seed", better,
                 f"{wins} of {len(pairs)} pairs; " + "; ".join(numbers))


def _draw(e: Experiment, table: Table):
    picture, panels = plots.figure(columns=2, rows=len(e["policies"]), size=(9, 3.2 * len(e["policies"])), sharex=True,
                                   squeeze=False)
    for row, policy in zip(panels, e["policies"]):
        for axes, (title, column) in zip(row, GOODPUTS.items()):
            for rate in e["rates"]:
                interval(axes, table.where(policy=policy, rate=rate), "ratio", column, f"{rate} requests/s")
            axes.set(title=f"{policy}, {title}", ylabel="goodput, requests/s", ylim=(0, None))
            plots.legend(axes, loc="upper left" if column == "goodput" else "lower left")
    for axes in panels[-1]:
        axes.set(xlabel="KV memory open to new requests, share")
    return picture
