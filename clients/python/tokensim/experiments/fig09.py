"""Figure 9: static against continuous batching."""

from tokensim import plots
from tokensim.experiments.experiment import Check, Experiment, Outcome
from tokensim.experiments.figures import RATE, crossing
from tokensim.table import Table

LATENCY = "normalized_latency.mean"
CAP = "local_scheduler.max_num_seqs"
NO_CAP = 2048
SERVED_SECONDS = 0.2  # per token: beyond that a rate is not served


def run(e: Experiment) -> Outcome:
    requests = {"workload.num_requests": e["requests"]} if e.quick else None
    raw = e.sweep({CAP: e["caps"], RATE: e["rates"]}, [LATENCY, "requests.preemptions"],
                  variants={"policy": e["policies"]}, changes=requests)
    table = Table.from_rows([{"policy": r["policy"], "cap": "none" if r[CAP] == NO_CAP else r[CAP], "rate": r[RATE],
                              "normalized_latency_seconds": r[LATENCY], "preemptions": r["requests.preemptions"]}
                             for r in raw])
    checks = []
    worst, where, served = 0.0, None, {}
    for cap in dict.fromkeys(table["cap"]):
        lines = {p: table.where(policy=p, cap=cap)["normalized_latency_seconds"] for p in e["policies"]}
        for name in lines:
            served[name, cap] = crossing(e["rates"], lines[name], SERVED_SECONDS)
        for name in ("static", "static, full"):
            for rate, ours, theirs in zip(e["rates"], lines["continuous"], lines[name]):
                if ours / theirs > worst:
                    worst, where = ours / theirs, f"{name}, cap {cap}, {rate}/s: {ours:.3g} against {theirs:.3g} s/token"
    checks.append(Check("continuous batching has the lower mean normalized latency at every rate and cap", worst < 1,
                        f"nearest: {where}"))
    gains = {cap: served["continuous", cap] / max(served["static", cap], served["static, full", cap])
             for cap in dict.fromkeys(table["cap"])}
    checks.append(Check(f"it serves larger rates at every cap (to {SERVED_SECONDS} s/token)", min(gains.values()) > 1,
                        ", ".join(f"cap {cap}: {served['continuous', cap]:.2f} against "
                                  f"{max(served['static', cap], served['static, full', cap]):.2f}/s" for cap in gains)))
    return Outcome({"fig09": table}, {"fig09": _draw(e, table)}, checks)


def _draw(e: Experiment, table: Table):
    caps = list(dict.fromkeys(table["cap"]))
    picture, panels = plots.figure(columns=len(caps), size=(2.6 + 2.4 * len(caps), 3.8), sharey=True)
    for axes, cap in zip(panels, caps):
        for policy in e["policies"]:
            part = table.where(policy=policy, cap=cap)
            axes.plot(part["rate"], part["normalized_latency_seconds"], label=policy)
        plots.log_axis(axes.xaxis)
        plots.log_axis(axes.yaxis)
        axes.set(xlabel="requests/s", title=f"batch cap: {cap}")
    panels[0].set(ylabel="mean normalized latency, s/token")
    plots.legend(panels[0])
    return picture
