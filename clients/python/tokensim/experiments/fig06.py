"""Figure 6: wall time of a simulation, its process included."""

import time

from tokensim import plots
from tokensim.experiments.experiment import Check, Experiment, Outcome
from tokensim.table import Table

VIDUR_TRAINING_SECONDS = 400


def run(e: Experiment) -> Outcome:
    rows = []
    for cluster, changes in e["clusters"].items():
        for requests in e["requests"]:
            changed = {**changes, "workload.num_requests": requests}
            walls = []
            for _ in range(e["repeats"]):
                begin = time.perf_counter()
                result = e.run(changed)
                walls.append((time.perf_counter() - begin, result.report.execution.wall_seconds))
            process, simulation = min(walls)
            rows.append({"cluster": cluster, "requests": requests, "process_seconds": process,
                         "simulation_seconds": simulation})
    table = Table.from_rows(rows)
    longest = max(table["process_seconds"])
    checks = [Check("every simulation takes less than a tenth of Vidur's training", longest * 10 < VIDUR_TRAINING_SECONDS,
                    f"at most {longest:.2f} s, process and Python included, on this machine; Vidur: 400 s, then runs")]
    if e.quick:
        checks = []  # tests do not judge wall time
    picture, axes = plots.figure()
    for cluster in e["clusters"]:
        part = table.where(cluster=cluster)
        axes.plot(part["requests"], part["process_seconds"], label=cluster)
    axes.axhline(VIDUR_TRAINING_SECONDS, color="0.5", linestyle="--", marker="", label="Vidur's training")
    plots.log_axis(axes.xaxis)
    plots.log_axis(axes.yaxis)
    axes.set(xlabel="requests", ylabel="wall time, s")
    plots.legend(axes)
    return Outcome({"fig06": table}, {"fig06": picture}, checks)
