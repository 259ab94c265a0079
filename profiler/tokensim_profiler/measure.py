"""Measures every row of a bundle that is not there yet.

    plan = Plan.build(shape, grid, max_kv_tokens)
    measure(bundle, tp, plan, operators, timer, Progress(sys.stderr))

`operators.call(table, key)` gives the function to time, `timer.measure(function)` microseconds:
both are given from outside, so that this runs in tests without PyTorch.
"""

import dataclasses
import time

from tokensim_profiler.errors import UserError
from tokensim_profiler.shapes import PER_SEQUENCE_LAYERS


@dataclasses.dataclass(frozen=True)
class Plan:
    """Rows of each table."""

    rows: dict

    @staticmethod
    def build(shape, grid, max_kv_tokens=None):
        rows = {"dense": grid.dense_rows(shape.dense_layers()),
                "per_sequence": grid.per_sequence_rows(PER_SEQUENCE_LAYERS),
                "attention": grid.attention_rows(max_kv_tokens)}
        if shape.num_experts:
            rows["moe"] = grid.moe_rows(shape.num_experts, shape.experts_per_token)
        return Plan(rows)

    def names(self):
        """What --layers can name: operators, and the tables that are one operator."""
        names = []
        for table, rows in self.rows.items():
            names += dict.fromkeys(_name(table, key) for key in rows)
        return names

    def only(self, layers):
        unknown = [layer for layer in layers if layer not in self.names()]
        if unknown:
            raise UserError(f"--layers: no operator '{unknown[0]}'; this model has "
                            f"{', '.join(self.names())}")
        return Plan({table: [key for key in rows if _name(table, key) in layers]
                     for table, rows in self.rows.items()})

    def size(self):
        return sum(len(rows) for rows in self.rows.values())


def _name(table, key):
    return key[0] if isinstance(key[0], str) else table


def measure(bundle, tp, plan, operators, timer, progress):
    """Measures what is absent. Rows are on disk one by one: an interrupted run goes on."""
    absent = []
    for table, rows in plan.rows.items():
        done = bundle.table(tp, table)
        absent += [(table, done, key) for key in rows if key not in done]
    progress.start(f"tp{tp}", len(absent), plan.size() - len(absent))
    for table, done, key in absent:
        done.add(key, timer.measure(operators.call(table, key)))
        progress.step(f"{table} {' '.join(str(part) for part in key)}")
    progress.end()


def absent_rows(bundle, tp, plan):
    """How many rows of the plan are not measured yet."""
    return sum(key not in table for name, rows in plan.rows.items()
               for table in [bundle.table(tp, name)] for key in rows)


class Progress:
    """One line on a terminal, a line every ten seconds elsewhere."""

    def __init__(self, stream, now=time.monotonic):
        self._stream = stream
        self._now = now
        self._every = 0.2 if stream.isatty() else 10.0
        self._total = self._done = 0
        self._started = self._shown = 0.0

    def start(self, title, total, already):
        self._title, self._total, self._done = title, total, 0
        self._started = self._shown = self._now()
        kept = f", {already} kept from before" if already else ""
        self._stream.write(f"{title}: {total} rows to measure{kept}\n")

    def step(self, what):
        self._done += 1
        now = self._now()
        if now - self._shown < self._every:
            return
        self._shown = now
        left = (now - self._started) / self._done * (self._total - self._done)
        text = f"{self._title}: {self._done}/{self._total} {what}, about {left:.0f} s left"
        self._stream.write(f"\r\033[K{text}" if self._stream.isatty() else f"{text}\n")
        self._stream.flush()

    def end(self):
        if self._stream.isatty():
            self._stream.write("\r\033[K")
        seconds = self._now() - self._started
        self._stream.write(f"{self._title}: {self._done} rows in {seconds:.1f} s\n")
