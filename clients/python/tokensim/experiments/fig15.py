"""Figure 15: what of a prefill device matters."""

from tokensim import plots
from tokensim.experiments.experiment import Check, Experiment, Outcome
from tokensim.table import Table

SMALLEST_MEMORY = 0.25  # of 80 GiB: less has no room for the weights


def run(e: Experiment) -> Outcome:
    rows = []
    for factor in e["factors"]:
        for row in _capacities(e, factor):
            what = row["device"]
            # The original is the same for all three.
            rows += [{"split": row["split"], "scaled": one, "factor": factor,
                      "requests_per_second": row["capacity"] or 0.0, "bottleneck": row["bottleneck"]}
                     for one in (e["fields"] if factor == 1 else [what])]
    rows.sort(key=lambda r: (r["split"], list(e["fields"]).index(r["scaled"]), r["factor"]))
    table = Table.from_rows(rows)
    return Outcome({"fig15": table}, {"fig15": _draw(e, table)}, _judge(e, table))


def _capacities(e: Experiment, factor: float):
    """Of every split and field at one factor. Less compute serves less, so runs are longer: of as many requests."""
    prefill, decode = zip(*e["splits"].values())
    names = {tuple(v): k for k, v in e["splits"].items()}
    fields = ["compute"] if factor == 1 else [f for f in e["fields"] if f != "capacity" or factor >= SMALLEST_MEMORY]
    for slow in (True, False):
        group = [f for f in fields if (f == "compute" and factor < 1) == slow]
        if not group:
            continue
        found = e.capacity(variants={"device": {f: {e["fields"][f]: f"x{factor}"} for f in group}},
                           vary=[f"workers.prefill.count={','.join(map(str, prefill))}; "
                                 f"workers.decode.count={','.join(map(str, decode))}"],
                           duration=e["duration"] / (factor if slow else 1))
        for row in found:
            yield {**row, "split": names[row["workers.prefill.count"], row["workers.decode.count"]]}


def _judge(e: Experiment, table: Table):
    rate = {(r["split"], r["scaled"], r["factor"]): r["requests_per_second"] for r in table}

    def line(split: str, what: str) -> str:
        return f"{split}, {what}: " + ", ".join(f"x{f:g} {rate[split, what, f]:.1f}" for f in e["factors"]
                                                if (split, what, f) in rate)
    checks = [
        Check("the rate grows in proportion to compute below the original with one prefill worker (within 10 %)",
              abs(rate["P1-D7", "compute", 0.25] / rate["P1-D7", "compute", 1] / 0.25 - 1) < 0.1,
              line("P1-D7", "compute")),
        Check("no compute beyond twice the A100's helps (within 3 %)",
              all(rate[s, "compute", 4] < 1.03 * rate[s, "compute", 2] for s in e["splits"]),
              "; ".join(line(s, "compute") for s in e["splits"])),
        Check("the memory's size does not matter (within 3 %)",
              all(abs(r["requests_per_second"] / rate[r["split"], "capacity", 1] - 1) < 0.03
                  for r in table.where(scaled="capacity")),
              "; ".join(line(s, "capacity") for s in e["splits"])),
        Check("more bandwidth hardly matters (within 8 %)",
              all(rate[s, "bandwidth", 4] < 1.08 * rate[s, "bandwidth", 1] for s in e["splits"]),
              "; ".join(line(s, "bandwidth") for s in e["splits"])),
        Check("less than half of the bandwidth does matter with one prefill worker: a quarter costs more than 10 %",
              rate["P1-D7", "bandwidth", 0.25] < 0.9 * rate["P1-D7", "bandwidth", 1], line("P1-D7", "bandwidth"),
              differs="every iteration reads the weights (13.5 GB, 36 ms at a quarter), and norms and activations are "
                      "bound by memory; the paper's operators are probably not (not checked)"),
    ]
    return checks


def _draw(e: Experiment, table: Table):
    splits = list(e["splits"])
    picture, panels = plots.figure(columns=len(splits), size=(1.2 + 3.2 * len(splits), 3.8), sharey=True, squeeze=False)
    for axes, split in zip(panels[0], splits):
        for what in e["fields"]:
            part = table.where(split=split, scaled=what)
            axes.plot(part["factor"], part["requests_per_second"], label=what)
        axes.set_xscale("log", base=2)
        axes.set_xticks(e["factors"], [f"{f:g}" for f in e["factors"]])
        axes.minorticks_off()
        axes.set(title=split, xlabel="factor on the prefill device", ylim=(0, None))
    panels[0][0].set(ylabel="requests/s within the SLO")
    plots.legend(panels[0][-1])
    return picture
