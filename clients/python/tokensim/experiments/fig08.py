"""Figure 8: which request has which slot in each iteration."""

from tokensim import plots
from tokensim.experiments.experiment import Check, Experiment, Outcome
from tokensim.table import Table

SLOTS = 4


def run(e: Experiment) -> Outcome:
    rows, bubbles, ends = [], {}, {}
    for policy, changes in e["policies"].items():
        result = e.run(changes)
        iterations = result.iterations()
        stays = _stays(result, iterations)
        used = sum(end - begin for _, begin, end, _ in stays)
        ends[policy] = len(iterations)
        bubbles[policy] = SLOTS * len(iterations) - used
        rows += [{"policy": policy, "slot": slot, "first_iteration": begin, "end_iteration": end, "request": request}
                 for slot, begin, end, request in stays]
    table = Table.from_rows(rows)
    checks = [
        Check("continuous batching needs fewer iterations for the same tokens", ends["continuous"] < ends["static"],
              f"{ends['continuous']} iterations, static {ends['static']}"),
        Check("it leaves fewer slots empty", bubbles["continuous"] < bubbles["static"],
              f"{bubbles['continuous']} of {SLOTS * ends['continuous']} slots, static {bubbles['static']} of "
              f"{SLOTS * ends['static']}"),
    ]
    return Outcome({"fig08": table}, {"fig08": _draw(table, ends)}, checks)


def _stays(result, iterations: Table):
    """(slot, first iteration, iteration after the last, request): a request takes the lowest slot that is free."""
    ends = iterations["end_s"]
    begins = [end - duration for end, duration in zip(ends, iterations["duration_s"])]

    def index(times, at: float) -> int:
        return min(range(len(times)), key=lambda i: abs(times[i] - at))
    free = [0] * SLOTS  # iteration from which each slot is free
    stays = []
    for row in sorted(result.requests(), key=lambda r: (r["scheduled_s"], r["request_id"])):
        begin, end = index(begins, row["scheduled_s"]), index(ends, row["finish_s"]) + 1
        slot = next(s for s in range(SLOTS) if free[s] <= begin)
        free[slot] = end
        stays.append((slot, begin, end, row["request_id"]))
    return stays


def _draw(table: Table, ends):
    picture, panels = plots.figure(rows=2, size=(8, 4.2), sharex=True)
    for axes, policy in zip(panels, ends):
        axes.add_patch(_box(-0.5, SLOTS - 0.5, ends[policy], facecolor="0.85", edgecolor="0.6"))
        for row in table.where(policy=policy):
            begin, end = row["first_iteration"], row["end_iteration"]
            colour = plots.COLOURS[row["request"] % len(plots.COLOURS)]
            axes.barh(row["slot"], end - begin, left=begin, height=0.9, color=colour, edgecolor="white")
            axes.barh(row["slot"], 1, left=begin, height=0.9, color="white", alpha=0.4)
            axes.text((begin + end) / 2, row["slot"], f"R{row['request']}", ha="center", va="center", color="white",
                      fontsize=8, fontweight="bold")
        axes.grid(False)
        axes.set(ylabel=f"{policy}\nslot", yticks=range(SLOTS), ylim=(SLOTS - 0.5, -0.5))
    panels[1].set(xlabel="iteration (pale: prompt; grey: slot without a request that still needs it)",
                  xlim=(0, max(ends.values())))
    return picture


def _box(low: float, high: float, width: float, **options):
    from matplotlib.patches import Rectangle
    return Rectangle((0, low), width, high - low, **options)
