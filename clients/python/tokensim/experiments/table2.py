"""Table II: total time at 40 requests/s."""

from tokensim import plots
from tokensim.experiments.experiment import Check, Experiment, Outcome
from tokensim.table import Table


def run(e: Experiment) -> Outcome:
    ours = e.sweep({"workload.num_requests": e["requests"]}, ["simulated_seconds"])["simulated_seconds"]
    table = Table({"requests": e["requests"], "here": ours, **e["paper"]})
    real, paper = e["paper"]["real"], e["paper"]["TokenSim (paper)"]

    def worst(a, b):
        return max(abs(x / y - 1) for x, y in zip(a, b))
    checks = [
        Check("what the paper's TokenSim gives, within 0.5 %", worst(ours, paper) < 0.005,
              ", ".join(f"{o:.3f} / {p:.3f} s" for o, p in zip(ours, paper))),
        Check("as near to the real system as the paper's", worst(ours, real) < 0.07,
              f"off by at most {worst(ours, real):.1%} (paper {worst(paper, real):.1%}, Vidur "
              f"{worst(e['paper']['Vidur'], real):.1%})"),
    ]
    picture, axes = plots.figure()
    for name in ("real", "Vidur", "LLMServingSim", "TokenSim (paper)"):
        axes.plot(table["requests"], [t - n / 40 for t, n in zip(table[name], table["requests"])], label=name)
    axes.plot(table["requests"], [t - n / 40 for t, n in zip(ours, table["requests"])], "k--", label="here")
    axes.set(xlabel="requests", ylabel="time beyond N / 40 of the arrivals, s", xticks=table["requests"],
             ylim=(-0.45, 0.75))
    plots.legend(axes, loc="upper left", ncol=2)
    return Outcome({"table2": table}, {"table2": picture}, checks)
