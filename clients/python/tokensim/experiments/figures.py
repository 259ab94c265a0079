"""What the experiments share: names of fields, seeds and their intervals, statistics."""

import math
import statistics
import typing

from tokensim.table import Table

RATE = "workload.arrival.poisson.rate_per_second"

# Quantiles of Student's t for a two-sided interval of 95 %, by degrees of freedom.
_T95 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def mean_and_half(values: typing.Sequence[float]) -> typing.Tuple[float, float]:
    """The mean, and half of its 95 % confidence interval (Student's t over independent seeds); 0 of one value."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, 0.0
    t = _T95.get(len(values) - 1, 2.0)
    return mean, t * statistics.stdev(values) / math.sqrt(len(values))


def by_seed(raw: Table, axes: typing.Sequence[str], metrics: typing.Sequence[str]) -> Table:
    """A row for each point, with the mean over the seeds of each metric and half of its interval (`METRIC +-`)."""
    groups: typing.Dict[tuple, list] = {}
    for row in raw:
        groups.setdefault(tuple(row[a] for a in axes), []).append(row)
    rows = []
    for key, members in groups.items():
        row = dict(zip(axes, key))
        for metric in metrics:
            values = [m[metric] for m in members if m[metric] is not None]
            row[metric], row[f"{metric} +-"] = mean_and_half(values) if values else (None, None)
        rows.append(row)
    return Table.from_rows(rows)


def interval(axes, table: Table, x: str, y: str, label: str, **options: typing.Any) -> None:
    """A line of means over seeds, with the interval as a band."""
    [line] = axes.plot(table[x], table[y], label=label, **options)
    low = [m - h for m, h in zip(table[y], table[f"{y} +-"])]
    high = [m + h for m, h in zip(table[y], table[f"{y} +-"])]
    axes.fill_between(table[x], [max(v, 1e-9) for v in low], high, color=line.get_color(), alpha=0.2, linewidth=0)


def crossing(rates: typing.Sequence[float], values: typing.Sequence[float], limit: float) -> float:
    """The rate at which values first exceed a limit, between two points on logarithmic scales; the last rate if none."""
    for i in range(1, len(rates)):
        if values[i] > limit:
            if values[i - 1] > limit:
                return rates[i - 1]
            share = math.log(limit / values[i - 1]) / math.log(values[i] / values[i - 1])
            return rates[i - 1] * (rates[i] / rates[i - 1]) ** share
    return rates[-1]
