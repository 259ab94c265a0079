"""Kernel timings by matrix size and by heads, as AIConfigurator's CSVs have them.

    gemms = read_gemms("gemm.csv.gz", "bfloat16", max_tokens=8192)
    curve, how = gemms.curve(n=22016, k=4096)       # {m: microseconds}; how: "" or what was done
    decodes = read_attention("generation.csv.gz", "decodes", Heads(...), decodes_alone)

Columns: gemm has gemm_dtype, m, n, k, latency (ms). Attention has batch_size, isl, num_heads,
num_key_value_heads, head_dim, attn_dtype, kv_cache_dtype, step, latency; a generation row attends
to isl + step tokens. kernel_source, window_size and beam_width may be there.
"""

import bisect
import collections
import dataclasses
import math

from tokensim_profiler import csv_input, importing
from tokensim_profiler.errors import UserError


class GemmTable:
    """Microseconds of [m, k] x [k, n], by (n, k) and m."""

    def __init__(self, path, curves):
        self.path = path
        self.curves = curves
        self._n = sorted({n for n, _ in curves})
        self._k = sorted({k for _, k in curves})

    def curve(self, n, k):
        """{m: microseconds} of a matrix, and how it was found when it was not measured.

        Between sizes the logarithm of the time is linear in the logarithms of n and k. Beyond the
        largest the time grows as the matrix does: one GEMM is then several of that size.
        """
        if (n, k) in self.curves:
            return self.curves[n, k], ""
        corners = []
        factor = 1.0
        how = []
        for name, axis, size in (("n", self._n, n), ("k", self._k, k)):
            ends = _bracket(axis, size)
            corners.append(ends)
            if size > axis[-1]:
                factor *= size / axis[-1]
                how.append(f"{name}={axis[-1]} times {size / axis[-1]:.3g}")
            elif len(ends) == 2:
                how.append(f"between {name}={ends[0][0]} and {ends[1][0]}")
            elif ends[0][0] != size:
                how.append(f"as {name}={ends[0][0]}")
        weights = {(at_n, at_k): weight_n * weight_k
                   for at_n, weight_n in corners[0] for at_k, weight_k in corners[1]}
        return self._mean(weights, factor, n, k), ", ".join(how)

    def _mean(self, weights, factor, n, k):
        absent = [corner for corner in weights if corner not in self.curves]
        if absent:
            neighbour = "" if absent == [(n, k)] else (f", nor its neighbour n={absent[0][0]}, "
                                                       f"k={absent[0][1]}")
            raise UserError(f"{self.path}: n={n}, k={k} is not measured{neighbour}")
        common = set.intersection(*(set(self.curves[corner]) for corner in weights))
        if not common:
            raise UserError(f"{self.path}: the neighbours of n={n}, k={k} have no m in common")
        return {m: factor * math.exp(sum(weight * math.log(self.curves[corner][m])
                                         for corner, weight in weights.items()))
                for m in sorted(common)}


def _bracket(axis, size):
    """[(size, weight)] of the measured neighbours: two, or one at and beyond the ends."""
    above = bisect.bisect_left(axis, size)
    if above == len(axis):
        return [(axis[-1], 1.0)]
    if above == 0 or axis[above] == size:
        return [(axis[above], 1.0)]
    low, high = axis[above - 1], axis[above]
    weight = math.log(size / low) / math.log(high / low)
    return [(low, 1 - weight), (high, weight)]


def read_gemms(path, dtype, max_tokens):
    """The GEMMs of one data type with at most max_tokens rows."""
    times = collections.defaultdict(list)
    dtypes = set()
    for row in csv_input.rows(path, ["gemm_dtype", "m", "n", "k", "latency"]):
        dtypes.add(row.text("gemm_dtype"))
        m = row.size("m", least=1)
        if row.text("gemm_dtype") == dtype and m <= max_tokens:
            key = (row.size("n", least=1), row.size("k", least=1), m)
            times[row.text("kernel_source", ""), key].append(1e3 * row.time("latency"))
    if not times:
        raise UserError(f"{path}: gemm_dtype is never {dtype} with m up to {max_tokens}; there "
                        f"are {_list(dtypes)}")
    curves = {}
    for (n, k, m), microseconds in sorted(_of_one_kernel(path, times).items()):
        curves.setdefault((n, k), {})[m] = microseconds
    return GemmTable(path, curves)


@dataclasses.dataclass(frozen=True)
class Heads:
    """What one rank's attention looks like, and in which types."""

    query: int
    kv: int
    dim: int
    dtype: str
    kv_dtype: str

    def folds(self):
        """The same work with 1/s of the heads and s times the sequences, for all s.

        Heads do not see one another, so a sequence with 32 heads is to the GPU what 4 sequences
        with 8 of them are.
        """
        return [(s, self.query // s, self.kv // s) for s in range(1, self.kv + 1)
                if self.query % s == 0 and self.kv % s == 0]


def chunks_alone(times, s):
    """{tokens: microseconds} of one prompt, which s sequences of the table stand for."""
    prompts = {(batch, isl): microseconds for (batch, isl, step), microseconds in times.items()
               if step == 0}
    return {tokens: microseconds for (n, tokens), microseconds in _unfold(prompts, s).items()
            if n == 1}


def decodes_alone(times, s):
    """{(sequences, context): microseconds}; s sequences of the table stand for one."""
    return _unfold({(batch, isl + step): microseconds
                    for (batch, isl, step), microseconds in times.items()}, s)


def _unfold(times, s):
    """{(n, length): microseconds} of n s sequences; linear between the batches that are there."""
    if s == 1:
        return times
    by_length = collections.defaultdict(dict)
    for (batch, length), microseconds in times.items():
        by_length[length][batch] = microseconds
    found = {}
    for length, curve in by_length.items():
        axis = sorted(curve)
        for n in sorted({1, *(batch for batch, _ in times)}):
            if axis[0] <= n * s <= axis[-1]:
                above = bisect.bisect_left(axis, n * s)
                low, high = axis[max(0, above - 1)], axis[above]
                share = (n * s - low) / (high - low) if high > low else 0
                found[n, length] = curve[low] + share * (curve[high] - curve[low])
    return found


def read_attention(path, what, heads, pick):
    """pick(times, s) of the rows for these heads, or of others when s sequences of those stand for
    one; times are {(batch, isl, step): microseconds}."""
    needed = ["batch_size", "isl", "num_heads", "num_key_value_heads", "head_dim", "attn_dtype",
              "kv_cache_dtype", "step", "latency"]
    there = collections.defaultdict(list)
    types = set()
    for row in csv_input.rows(path, needed):
        if row.size("window_size", default=0) or row.size("beam_width", default=1) != 1:
            continue
        type_of = (row.text("attn_dtype"), row.text("kv_cache_dtype"), row.size("head_dim"))
        types.add(type_of)
        if type_of == (heads.dtype, heads.kv_dtype, heads.dim):
            there[row.size("num_heads"), row.size("num_key_value_heads")].append(row)
    if not there:
        raise UserError(f"{path}: attn_dtype, kv_cache_dtype, head_dim are never {heads.dtype}, "
                        f"{heads.kv_dtype}, {heads.dim}; there are "
                        f"{_list(' '.join(map(str, one)) for one in types)}")
    for s, query, kv in heads.folds():
        times = collections.defaultdict(list)
        for row in there.get((query, kv), []):
            key = (row.size("batch_size", least=1), row.size("isl", least=1), row.size("step"))
            times[row.text("kernel_source", ""), key].append(1e3 * row.time("latency"))
        picked = pick(_of_one_kernel(path, times), s) if times else {}
        if picked:
            if s > 1:
                importing.note(f"{what}: no rows with {heads.query} heads and {heads.kv} KV heads: "
                               f"{s} sequences with {query} and {kv} stand for one")
            return picked
    raise UserError(f"{path}: no rows with num_heads {heads.query}, num_key_value_heads "
                    f"{heads.kv}, nor a fraction of both; there are "
                    f"{_list(f'{query}/{kv}' for query, kv in sorted(there))}")


def _of_one_kernel(path, times):
    """{key: median} of the kernel with most rows: two kernels make no curve."""
    keys = collections.defaultdict(dict)
    for (kernel, key), values in times.items():
        keys[kernel][key] = values
    chosen = max(sorted(keys), key=lambda kernel: len(keys[kernel]))
    if len(keys) > 1:
        importing.note(f"{path}: of the kernels {_list(keys)} only {chosen} is taken, which has "
                       "most rows")
    return importing.median(keys[chosen])


def _list(texts):
    return ", ".join(sorted(map(str, texts)))
