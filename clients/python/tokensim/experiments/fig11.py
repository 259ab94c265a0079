"""Figure 11: the best ratio of prefill to decode workers."""

import typing

from tokensim import plots
from tokensim.experiments.experiment import Check, Experiment, Outcome
from tokensim.table import Table

GPUS = 8
INPUT = "workload.lengths.independent.input.fixed"
OUTPUT = "workload.lengths.independent.output.fixed"


def run(e: Experiment) -> Outcome:
    splits = ",".join(str(n) for n in range(1, GPUS))
    rest = ",".join(str(GPUS - n) for n in range(1, GPUS))
    rows = []
    for model in e["models"]:
        for output in e["lengths"]:
            # Long enough to fill the decode workers, which takes as long as their requests stay.
            duration = max(e["min_duration"], e["duration_per_output_token"] * output)
            found = e.capacity(vary=[f"{INPUT}={','.join(map(str, e['lengths']))}",
                                     f"workers.prefill.count={splits}; workers.decode.count={rest}"],
                               changes={"model": model, OUTPUT: output}, start=4000 / output, duration=duration)
            rows += [{"model": model, "input": r[INPUT], "output": output, "prefill": r["workers.prefill.count"],
                      "decode": r["workers.decode.count"], "requests_per_second": r["capacity"] or 0.0,
                      "broke": r["broke"], "note": r["note"]} for r in found]
    table = Table.from_rows(rows)
    best: typing.Dict[tuple, dict] = {}
    for row in table:
        key = row["model"], row["input"], row["output"]
        if key not in best or row["requests_per_second"] > best[key]["requests_per_second"]:
            best[key] = row
    summary = Table.from_rows([{k: v for k, v in row.items() if k not in ("broke", "note")} for row in best.values()])
    return Outcome({"fig11": summary, "fig11-splits": table}, {"fig11": _draw(e, best)}, _judge(e, best))


def _judge(e: Experiment, best):
    lengths = e["lengths"]
    checks = []
    for model in e["models"]:
        prefill = {(i, o): best[model, i, o]["prefill"] for i in lengths for o in lengths}
        spread_out = sum(prefill[i, lengths[0]] - prefill[i, lengths[-1]] for i in lengths) / len(lengths)
        spread_in = sum(prefill[lengths[-1], o] - prefill[lengths[0], o] for o in lengths) / len(lengths)
        numbers = (f"from outputs of {lengths[0]} to {lengths[-1]} tokens the best split loses {spread_out:.1f} prefill "
                   f"workers on average; from inputs of {lengths[0]} to {lengths[-1]} it gains {spread_in:.1f}")
        checks.append(Check(f"{model}: the output length moves the best ratio more than the input length",
                            spread_out > spread_in, numbers))
        checks.append(Check(
            f"{model}: longer outputs want more decode workers, longer inputs more prefill workers",
            spread_out > 0 and spread_in >= 0 and all(prefill[i, lengths[-1]] <= prefill[i, lengths[0]] for i in lengths),
            "prefill workers at the best, by output: " + "; ".join(
                f"{o}: {'/'.join(str(prefill[i, o]) for i in lengths)}" for o in lengths),
            differs="the paper's text has the ratio the other way round. A request's prefill work grows with its input, "
                    "its decode work with its output, so the arithmetic leaves no choice; probably P and D are swapped "
                    "in the text"))
    return checks


def _draw(e: Experiment, best):
    models, lengths = e["models"], e["lengths"]
    picture, panels = plots.figure(columns=len(models), size=(5.6 * len(models), 4.4), squeeze=False)
    for axes, model in zip(panels[0], models):
        cells = [[best[model, i, o] for o in lengths] for i in lengths]
        plots.heatmap(axes, [[c["prefill"] for c in row] for row in cells], lengths, lengths,
                      texts=[[f"{c['prefill']}:{c['decode']}\n{_rate(c['requests_per_second'])}/s" for c in row]
                             for row in cells], label="prefill workers of 8", low=1, high=GPUS - 1)
        axes.set(title=f"{model}: best prefill:decode, and its rate", xlabel="output, tokens", ylabel="input, tokens")
    return picture


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
