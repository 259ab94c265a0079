"""Pictures of results, with matplotlib: each function gives a Figure, which notebooks show and `save` writes.

    tokensim.plots.save(tokensim.plots.cdf({"4 GPUs": a, "8 GPUs": b}, "ttft_s"), "ttft.svg")

Colours are those of Okabe and Ito, which colour-blind people can tell apart; lines differ in their markers, too. With
`dark=True` the picture is for dark pages. NotFound without matplotlib.
"""

import itertools
import math
import os
import typing

from tokensim.errors import NotFound
from tokensim.results import Result
from tokensim.table import Table

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#B8A800")
MARKERS = "osD^vPX*"
_SIZE = (6.4, 4.0)  # inches
_COLUMN_NAMES = {"ttft_s": "TTFT, s", "tpot_s": "TPOT, s", "e2e_s": "end-to-end latency, s",
                 "max_itl_s": "longest gap between tokens, s", "input_tokens": "input, tokens",
                 "output_tokens": "output, tokens"}


def _matplotlib():
    try:
        import matplotlib.figure
        return matplotlib
    except ImportError as error:
        raise NotFound("plots need matplotlib: apt install python3-matplotlib, or pip install matplotlib") from error


def style(dark: bool = False) -> typing.Dict[str, typing.Any]:
    """Settings (rcParams) of every picture here."""
    ink, paper, line = ("#E6E6E6", "#161616", "#4D4D4D") if dark else ("#1A1A1A", "#FFFFFF", "#D0D0D0")
    from cycler import cycler
    return {"figure.facecolor": paper, "axes.facecolor": paper, "savefig.facecolor": paper, "text.color": ink,
            "axes.labelcolor": ink, "axes.edgecolor": ink, "xtick.color": ink, "ytick.color": ink,
            "grid.color": line, "axes.grid": True, "axes.axisbelow": True, "font.size": 10, "axes.titlesize": 11,
            "legend.fontsize": 9, "legend.frameon": False, "axes.spines.top": False, "axes.spines.right": False,
            "lines.linewidth": 1.8, "lines.markersize": 5, "axes.prop_cycle": cycler(color=COLOURS, marker=MARKERS),
            "svg.hashsalt": "tokensim", "svg.fonttype": "path", "legend.labelcolor": ink}


def figure(columns: int = 1, rows: int = 1, size: typing.Tuple[float, float] = _SIZE, dark: bool = False, **options):
    """A figure and its axes (one, or an array), in the style of this module. Size in inches."""
    matplotlib = _matplotlib()
    with matplotlib.rc_context(style(dark)):
        made = matplotlib.figure.Figure(figsize=size, layout="constrained")
        return made, made.subplots(rows, columns, **options)


def legend(axes, **options) -> None:
    """In the style of this module, which does not reach what is drawn later."""
    axes.legend(frameon=False, fontsize=9, labelcolor=axes.xaxis.label.get_color(), **options)


def log_axis(axis) -> None:
    """A logarithmic axis with plain numbers at 1, 2 and 5 of each power of ten."""
    from matplotlib import ticker
    (axis.axes.set_xscale if axis.axis_name == "x" else axis.axes.set_yscale)("log")
    low, high = axis.get_view_interval()
    wide = low > 0 and high / low > 300
    axis.set_major_locator(ticker.LogLocator(subs=(1,) if wide else (1, 2, 5), numticks=20))
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(ticker.NullFormatter())


def save(made, path: typing.Union[str, os.PathLike]) -> None:
    """As the ending says: .svg, .png, .pdf. The same picture gives the same bytes."""
    matplotlib = _matplotlib()
    with matplotlib.rc_context(style()):
        metadata = {"Date": None} if str(path).endswith(".svg") else None
        made.savefig(path, dpi=150, metadata=metadata, facecolor=made.get_facecolor())


def cdf(results: typing.Mapping[str, Result], column: str = "ttft_s", *, log: bool = True, dark: bool = False):
    """Shares of requests below each value of a column of `requests()`, a line for each result."""
    made, axes = figure(dark=dark)
    for name, result in results.items():
        values = sorted(v for v in result.requests()[column] if v is not None)
        # No picture shows more steps than that.
        ranks = range(0, len(values), max(1, len(values) // 500))
        axes.plot([values[i] for i in ranks], [(i + 1) / len(values) for i in ranks], drawstyle="steps-post", marker="",
                  label=name)
    if log:
        log_axis(axes.xaxis)
    axes.set(xlabel=_COLUMN_NAMES.get(column, column), ylabel="share of requests", ylim=(0, 1))
    legend(axes)
    return made


def lines(table: Table, x: str, y: str, by: typing.Optional[str] = None, *, xlabel: typing.Optional[str] = None,
          ylabel: typing.Optional[str] = None, logx: bool = False, logy: bool = False,
          limit: typing.Optional[float] = None, dark: bool = False):
    """A column against another, as latency against rate from a sweep: a line for each value of `by`.

    limit  of y, as an SLO: a dashed line
    """
    made, axes = figure(dark=dark)
    groups = list(dict.fromkeys(table[by])) if by else [None]
    for group in groups:
        points = sorted((row[x], row[y]) for row in table
                        if (by is None or row[by] == group) and row[x] is not None and row[y] is not None)
        axes.plot([p[0] for p in points], [p[1] for p in points], label=None if by is None else f"{by} = {group}")
    if limit is not None:
        axes.axhline(limit, color="0.5", linestyle="--", label=f"limit {limit:g}", marker="")
    if logx:
        log_axis(axes.xaxis)
    if logy:
        log_axis(axes.yaxis)
    axes.set(xlabel=xlabel or x, ylabel=ylabel or y)
    if by or limit is not None:
        legend(axes)
    return made


def heatmap(axes, values: typing.Sequence[typing.Sequence[typing.Optional[float]]], x: typing.Sequence[typing.Any],
            y: typing.Sequence[typing.Any], *, texts: typing.Optional[typing.Sequence[typing.Sequence[str]]] = None,
            label: str = "", low: typing.Optional[float] = None, high: typing.Optional[float] = None) -> None:
    """Cells by row (y, the first below) and column (x), with a colour bar; None is left empty."""
    data = [[math.nan if v is None else v for v in row] for row in values]
    image = axes.imshow(data, cmap="cividis", origin="lower", aspect="auto", vmin=low, vmax=high)
    axes.grid(False)
    axes.set_xticks(range(len(x)), [str(v) for v in x])
    axes.set_yticks(range(len(y)), [str(v) for v in y])
    middle = image.norm.vmin + (image.norm.vmax - image.norm.vmin) / 2
    for i, row in enumerate(texts or ()):
        for j, text in enumerate(row):
            bright = not math.isnan(data[i][j]) and data[i][j] > middle
            axes.text(j, i, text, ha="center", va="center", fontsize=8, color="black" if bright else "white")
    axes.figure.colorbar(image, ax=axes, label=label)


def kv_over_time(result: Result, *, dark: bool = False):
    """How full the KV cache of each worker is over simulated time: a row for each worker."""
    names = [worker.name for worker in result.report.workers]
    used = [list(worker.timeline.kv_utilization) for worker in result.report.workers]
    made, axes = figure(size=(7.2, 1.6 + 0.28 * len(names)), dark=dark)
    _time_map(axes, used, names, result.report.workers[0].timeline.interval_seconds, "KV cache used, share")
    axes.set_xlim(0, result.report.simulated_seconds)
    return made


def _time_map(axes, rows, names, interval: float, label: str) -> None:
    """Rows of shares from 0 to 1 over time."""
    length = max(len(row) for row in rows)
    data = [row + [0.0] * (length - len(row)) for row in rows]
    image = axes.imshow(data, cmap="cividis", aspect="auto", vmin=0, vmax=1, interpolation="nearest",
                        extent=(0, length * interval, len(rows) - 0.5, -0.5))
    axes.grid(False)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="simulated time, s")
    axes.figure.colorbar(image, ax=axes, label=label)


def timeline(result: Result, *, dark: bool = False):
    """Requests running and waiting, and KV cache and GPU in use, over simulated time, summed over the workers."""
    made, (above, below) = figure(rows=2, size=(7.2, 4.8), dark=dark, sharex=True)
    workers = result.report.workers
    interval = workers[0].timeline.interval_seconds

    def total(name: str, share: bool) -> typing.List[float]:
        columns: typing.List[typing.List[float]] = [list(getattr(worker.timeline, name)) for worker in workers]
        sums: typing.List[float] = [sum(values) for values in itertools.zip_longest(*columns, fillvalue=0.0)]
        return [v / len(workers) for v in sums] if share else sums
    times = [i * interval for i in range(max(len(worker.timeline.running) for worker in workers))]
    for name in ("running", "waiting"):
        above.plot(times, total(name, False), marker="", label=name)
    for name, label in (("kv_utilization", "KV cache used"), ("busy", "busy")):
        below.plot(times, total(name, True), marker="", label=label)
    above.set(ylabel="requests")
    below.set(ylabel="share, mean of workers", xlabel="simulated time, s", ylim=(0, 1.02))
    for axes in (above, below):
        legend(axes, loc="best")
    return made


def front(table: Table, x: str, y: str, *, maximize: typing.Sequence[str] = ()) -> typing.List[int]:
    """Indices of rows that no other row beats in both columns, by x. What is not in `maximize` should be small."""
    def key(row, name: str) -> float:
        return -row[name] if name in maximize else row[name]
    rows = [(key(row, x), key(row, y), i) for i, row in enumerate(table) if None not in (row[x], row[y])]
    found, best = [], math.inf
    for _, value, i in sorted(rows):
        if value < best:
            found.append(i)
            best = value
    return found


def pareto(table: Table, x: str, y: str, *, maximize: typing.Sequence[str] = (), label: typing.Optional[str] = None,
           xlabel: typing.Optional[str] = None, ylabel: typing.Optional[str] = None, dark: bool = False):
    """Every row as a point, those that no other beats joined by a line and, with `label`, named by that column."""
    made, axes = figure(dark=dark)
    rows = table.rows()
    best = front(table, x, y, maximize=maximize)
    others = [row for i, row in enumerate(rows) if i not in best and None not in (row[x], row[y])]
    axes.plot([row[x] for row in others], [row[y] for row in others], "o", color="0.6", label="beaten")
    axes.plot([rows[i][x] for i in best], [rows[i][y] for i in best], "o-", color=COLOURS[1], label="Pareto front")
    for i in best if label is not None else ():
        axes.annotate(str(rows[i][label]), (rows[i][x], rows[i][y]), xytext=(4, 4), textcoords="offset points",
                      fontsize=8)
    axes.set(xlabel=xlabel or x, ylabel=ylabel or y)
    legend(axes)
    return made
