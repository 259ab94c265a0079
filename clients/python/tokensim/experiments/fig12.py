"""Figure 12: what decodes best, and what for its price."""

from tokensim import plots
from tokensim.experiments.experiment import Check, Experiment, Outcome
from tokensim.table import Table

AIM, V100, A40, A80 = "GDDR6-AiM", "V100", "A100 40 GB", "A100 80 GB"
PAPER = {"1+7": 29.1, "2+6": 24.7}  # requests/s with GDDR6-AiM


def run(e: Experiment) -> Outcome:
    splits = e["splits"]
    prefill, decode = zip(*splits.values())
    found = e.capacity(vary=[f"workers.prefill.count={','.join(map(str, prefill))}; "
                             f"workers.decode.count={','.join(map(str, decode))}"],
                       variants={"device": e["devices"]})
    names = {tuple(v): k for k, v in splits.items()}
    rows = []
    for row in found:
        p, d = row["workers.prefill.count"], row["workers.decode.count"]
        price = p + d * e["prices"][row["device"]]
        rate = row["capacity"] or 0.0
        rows.append({"device": row["device"], "split": names[p, d], "prefill": p, "decode": d, "price_in_a100": price,
                     "requests_per_second": rate, "requests_per_second_per_a100": rate / price, "broke": row["broke"],
                     "bottleneck": row["bottleneck"]})
    table = Table.from_rows(rows)
    return Outcome({"fig12": table}, {"fig12": _draw(e, table)}, _judge(table))


def _judge(table: Table):
    rate = {(r["device"], r["split"]): r["requests_per_second"] for r in table}
    worth = {(r["device"], r["split"]): r["requests_per_second_per_a100"] for r in table}
    ratio, paper = rate[AIM, "2+6"] / rate[AIM, "1+7"], PAPER["2+6"] / PAPER["1+7"]
    return [
        Check("a second prefill A100 in place of an AiM costs what it costs in the paper, within 5 %",
              abs(ratio / paper - 1) < 0.05, f"{rate[AIM, '2+6']:.1f} / {rate[AIM, '1+7']:.1f} = {ratio:.2f}; paper "
              f"{PAPER['2+6']} / {PAPER['1+7']} = {paper:.2f}. The level is {rate[AIM, '1+7'] / PAPER['1+7'] - 1:+.0%}"),
        Check("1 A100 + 7 AiM carry more per price than 1 + 7 A100 40 GB", worth[AIM, "1+7"] > worth[A40, "1+7"],
              f"{worth[AIM, '1+7']:.2f} against {worth[A40, '1+7']:.2f} requests/s per A100 of price"),
        Check("for the price of about 5 A100s, 1 + 7 AiM carry more than 1 + 4 A100 40 GB",
              rate[AIM, "1+7"] > rate[A40, "1+4"], f"{rate[AIM, '1+7']:.1f} (price 4.5) against "
              f"{rate[A40, '1+4']:.1f} requests/s (price 5)"),
        Check("for the price of about 3 A100s, 1 + 7 V100 (2.75) carry more than 1 + 4 AiM (3)",
              rate[V100, "1+7"] > rate[AIM, "1+4"], f"{rate[V100, '1+7']:.1f} against {rate[AIM, '1+4']:.1f} requests/s"),
        Check("with A100s of 80 GB the finding turns: 1 + 4 of them beat 1 + 7 AiM",
              rate[A80, "1+4"] > rate[AIM, "1+7"],
              f"{rate[A80, '1+4']:.1f} against {rate[AIM, '1+7']:.1f} requests/s",
              differs="the paper does not say which A100 decodes. KV memory decides: an A100 of 40 GB runs out of it (its "
                      "rate is half of the 80 GB card's), the AiM card is bound by its 32 TFLOPS"),
    ]


def _draw(e: Experiment, table: Table):
    picture, (left, right) = plots.figure(columns=2, size=(10, 4), sharey=True)
    devices, splits = list(e["devices"]), list(e["splits"])
    height = 0.8 / len(splits)
    for axes, column, label in ((left, "requests_per_second", "requests/s within the SLO"),
                                (right, "requests_per_second_per_a100", "requests/s per price of an A100")):
        for i, split in enumerate(splits):
            part = table.where(split=split)
            places = [devices.index(d) + (i - (len(splits) - 1) / 2) * height for d in part["device"]]
            bars = axes.barh(places, part[column], height=height * 0.92, color=plots.COLOURS[i], label=split)
            axes.bar_label(bars, fmt="%.3g", padding=2, fontsize=7, color=axes.xaxis.label.get_color())
        axes.set(xlabel=label)
        axes.grid(axis="y", visible=False)
    left.set(yticks=range(len(devices)), yticklabels=devices, ylabel="decode device")
    left.invert_yaxis()
    plots.legend(left, title="prefill A100s + decode devices", title_fontsize=8, loc="lower right")
    return picture
