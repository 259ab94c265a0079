"""The points at which operators are measured.

An axis is written as in meta.yaml of a bundle, and parsed from the same text:

    parse_axis("0, 16-2048 x2")        # 0, 16, 32, ... 2048: each twice the one before
    parse_axis("1-16 +1, 20-64 +4")    # steps
    Grid.default().attention_rows()    # every (prefill_chunk, kv_prefill, n_decode, kv_decode)

The defaults are the grids of the bundles that LLMServingSim 2.0 measured under vLLM, so that a
bundle measured here can stand in for one of those.
"""

import dataclasses
import re

from tokensim_profiler.errors import UserError

_RANGE = re.compile(r"^(\d+)-(\d+)\s*([x+])(\d+)$")


def parse_axis(text):
    """Ascending sizes of an axis: comma-separated numbers and ranges `LOW-HIGH xFACTOR|+STEP`."""
    sizes = []
    for item in str(text).split(","):
        item = item.strip()
        match = _RANGE.match(item)
        if item.isdigit():
            sizes.append(int(item))
        elif match:
            sizes += _range(int(match[1]), int(match[2]), match[3], int(match[4]), item)
        else:
            raise UserError(f"axis '{text}': '{item}' is neither a number nor LOW-HIGH xFACTOR "
                            "or LOW-HIGH +STEP")
    if any(later <= earlier for earlier, later in zip(sizes, sizes[1:])):
        raise UserError(f"axis '{text}': sizes must ascend")
    return tuple(sizes)


def _range(low, high, kind, by, item):
    if low > high or by < (2 if kind == "x" else 1) or (kind == "x" and low == 0):
        raise UserError(f"axis: '{item}' is empty or never ends")
    sizes = [low]
    while True:
        following = sizes[-1] * by if kind == "x" else sizes[-1] + by
        if following > high:
            break
        sizes.append(following)
    return sizes


@dataclasses.dataclass(frozen=True)
class Grid:
    """Axes as text, so that meta.yaml shows them as they were given."""

    tokens: str        # dense.csv
    sequences: str     # per_sequence.csv
    chunks: str        # attention.csv, 0 = no prefill in the iteration
    n_decode: str      # attention.csv, 0 = no decodes in the iteration
    kv: str            # attention.csv: both kinds of context
    moe_tokens: str    # moe.csv
    max_num_seqs: int  # an iteration has at most so many sequences

    @staticmethod
    def default():
        return Grid(tokens="1-16 +1, 20-64 +4, 80-2048 +16",
                    sequences="1-16 +1, 20-64 +4, 80-256 +16",
                    chunks="0, 16-2048 x2",
                    n_decode="0, 1-256 x2",
                    kv="0, 16-16384 x2",
                    moe_tokens="1-2048 x2",
                    max_num_seqs=256)

    @staticmethod
    def quick():
        """About a twentieth of the points: minutes rather than hours, coarser in between."""
        return Grid(tokens="1, 2, 4, 8, 16, 32, 64-256 +64, 512-2048 +512",
                    sequences="1-256 x4",
                    chunks="0, 32-2048 x8",
                    n_decode="0, 1-256 x4",
                    kv="0, 16-16384 x4",
                    moe_tokens="1, 8, 64, 512, 2048",
                    max_num_seqs=256)

    def dense_rows(self, layers):
        """(layer, tokens)."""
        return [(layer, size) for layer in layers for size in self._sizes("tokens")]

    def per_sequence_rows(self, layers):
        """(layer, sequences)."""
        return [(layer, size) for layer in layers for size in self._sizes("sequences")]

    def attention_rows(self, max_kv_tokens=None):
        """(prefill_chunk, kv_prefill, n_decode, kv_decode): at most one prefill, equal decodes.

        Leaves out iterations with more than max_num_seqs sequences, and those whose keys and
        values do not fit in `max_kv_tokens`.
        """
        kv = parse_axis(self.kv)
        rows = []
        for chunk in parse_axis(self.chunks):
            for history in kv if chunk else (0,):
                for n in parse_axis(self.n_decode):
                    for context in [size for size in kv if size] if n else (0,):
                        sequences = n + (chunk > 0)
                        tokens = chunk + history + n * context
                        if 0 < sequences <= self.max_num_seqs and (max_kv_tokens is None or
                                                                   tokens <= max_kv_tokens):
                            rows.append((chunk, history, n, context))
        return rows

    def moe_rows(self, num_experts, experts_per_token):
        """(tokens, activated_experts): from top-k to all, doubling, as far as tokens can reach."""
        counts = [experts_per_token]
        while counts[-1] < num_experts:
            counts.append(min(2 * counts[-1], num_experts))
        return [(tokens, activated) for tokens in self._sizes("moe_tokens") for activated in counts
                if activated <= tokens * experts_per_token]

    def _sizes(self, axis):
        return [size for size in parse_axis(getattr(self, axis)) if size]
