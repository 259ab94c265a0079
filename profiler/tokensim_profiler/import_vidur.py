"""`tokensim-profile import-vidur`: the profiling CSVs of Vidur as a bundle.

Vidur (Agrawal et al., MLSys 2024, github.com/microsoft/vidur) keeps its measurements in
data/profiling/compute/DEVICE/MODEL/{mlp,attention}.csv: milliseconds of one layer's operators, by
tokens and by sequences, for every tensor parallelism in one file.
"""

import collections
import pathlib

from tokensim_profiler import csv_input, importing, options as shared
from tokensim_profiler.errors import UserError

_TP = "num_tensor_parallel_workers"
_DIMENSIONS = ("n_head", "n_kv_head", "n_embd", "n_expanded_embd", "vocab_size")
# Our layer: Vidur's operator.
_DENSE = {"embedding": "emb", "qkv_proj": "attn_pre_proj", "rotary_emb": "attn_rope",
          "o_proj": "attn_post_proj", "gate_up_proj": "mlp_up_proj", "act_fn": "mlp_act",
          "down_proj": "mlp_down_proj"}
_NORMS = ("input_layernorm", "post_attention_layernorm")
# Around the kernel of either phase; our attention rows contain the write to the cache.
_AROUND_ATTENTION = ("attn_input_reshape", "attn_kv_cache_save", "attn_output_reshape")
_STATISTICS = ("median", "mean", "min", "max")


def add_parser(commands):
    parser = commands.add_parser(
        "import-vidur", help="make a bundle of Vidur's profiling CSVs",
        description="Converts mlp.csv and attention.csv of Vidur's data/profiling/compute/DEVICE/"
                    "MODEL. They hold neither lm_head nor sampler: the engine's roofline prices "
                    "those.")
    parser.add_argument("--mlp", required=True, metavar="CSV", help="mlp.csv")
    parser.add_argument("--attention", required=True, metavar="CSV", help="attention.csv")
    parser.add_argument("--model-name", metavar="NAME",
                        help="for meta.yaml (default: the folder of mlp.csv)")
    parser.add_argument("--statistic", choices=_STATISTICS, default="median",
                        help="which column of each operator (default: median)")
    parser.add_argument("--block-size", type=shared.positive, metavar="N",
                        help="take the attention rows with this size of KV blocks")
    importing.add_output_options(parser)
    parser.set_defaults(run=run)


def run(options):
    dense, dimensions = _read_mlp(options)
    attention = _read_attention(options, dimensions)
    folder = pathlib.Path(options.mlp).resolve().parent
    meta = {"hardware": options.hardware or folder.parent.parent.name or "unknown",
            "model": options.model_name or folder.name or "unknown",
            "variant": "fp16",  # Vidur's profiler runs models in half precision
            "imported": {"from": "vidur", "mlp": str(options.mlp),
                         "attention": str(options.attention), "statistic": options.statistic,
                         "dimensions": dimensions}}
    importing.note("lm_head and sampler are not in Vidur's files: the roofline prices them")
    return importing.write(options, meta, {
        tp: {"dense": dense[tp], "attention": attention[tp]} for tp in options.tp})


def _column(operator, statistic):
    return f"time_stats.{operator}.{statistic}"


def _read_mlp(options):
    """{tp: {(layer, tokens): microseconds}}, and the model's dimensions."""
    def column(operator):
        return _column(operator, options.statistic)

    times = {tp: collections.defaultdict(list) for tp in options.tp}
    present = collections.Counter()
    dimensions = {}
    needed = ["num_tokens", _TP, *map(column, _DENSE.values()), column(_NORMS[0])]
    for row in csv_input.rows(options.mlp, needed):
        _same_model(row, dimensions)
        tp = row.size(_TP, least=1)
        present[tp] += 1
        if tp not in times:
            continue
        tokens = row.size("num_tokens", least=1)
        for layer, operator in _DENSE.items():
            times[tp][layer, tokens].append(1e3 * row.time(column(operator)))
        # A layer has two norms and two residual adds, which our layernorm contains.
        norms = [row.time(column(norm)) for norm in _NORMS
                 if row.text(column(norm))] or [row.time(column(_NORMS[0]))]
        norm = sum(norms) / len(norms) + row.time_or_zero(column("add"))
        for layer in ("layernorm", "final_layernorm"):
            times[tp][layer, tokens].append(1e3 * norm)
    _need_every_tp(options.mlp, times, present)
    return {tp: importing.median(of_tp) for tp, of_tp in times.items()}, dimensions


def _read_attention(options, dimensions):
    """{tp: {(prefill_chunk, kv_prefill, n_decode, kv_decode): microseconds}}."""
    times = {tp: collections.defaultdict(list) for tp in options.tp}
    present = collections.Counter()
    block_sizes = {}
    batched_prefills = 0
    needed = [_TP, "batch_size", "prefill_chunk_size", "kv_cache_size", "is_prefill",
              _column("attn_prefill", options.statistic), _column("attn_decode", options.statistic)]
    for row in csv_input.rows(options.attention, needed):
        _same_model(row, dimensions)
        tp = row.size(_TP, least=1)
        present[tp] += 1
        block_size = row.size("block_size", default=0)
        if tp not in times or options.block_size not in (None, block_size):
            continue
        block_sizes.setdefault(block_size, row)
        key, operator = _attention_key(row)
        if key is None:
            batched_prefills += 1
            continue
        milliseconds = row.time(_column(operator, options.statistic))
        milliseconds += sum(row.time_or_zero(_column(around, options.statistic))
                            for around in _AROUND_ATTENTION)
        times[tp][key].append(1e3 * milliseconds)
    if len(block_sizes) > 1:
        raise UserError(f"{options.attention}: block_size is {_and(sorted(block_sizes))}: choose "
                        "one with --block-size")
    if batched_prefills:
        importing.note(f"{options.attention}: {batched_prefills} rows with several prefills are "
                       "left out: a row of a bundle has one")
    _need_every_tp(options.attention, times, present)
    for tp, of_tp in times.items():
        for phase, decodes in (("prefill", False), ("decode", True)):
            if not any((key[0] == 0) == decodes for key in of_tp):
                raise UserError(f"{options.attention}: has no {phase} rows for {_TP} {tp}")
    return {tp: importing.extend_decodes(importing.median(of_tp), f"tp{tp}: attention")
            for tp, of_tp in times.items()}


def _attention_key(row):
    """The row's key in attention.csv and Vidur's operator; no key: several prefills in one call."""
    flag = (row.text("is_prefill") or "").strip().lower()
    if flag not in ("true", "false", "1", "0"):
        raise row.error("is_prefill", "neither True nor False")
    batch = row.size("batch_size", least=1)
    context = row.size("kv_cache_size")
    if flag in ("false", "0"):
        return (0, 0, batch, max(1, context)), "attn_decode"
    chunk = row.size("prefill_chunk_size", least=1)
    return (chunk, context, 0, 0) if batch == 1 else None, "attn_prefill"


def _same_model(row, dimensions):
    """Both files and all their lines are of one model."""
    for column in _DIMENSIONS:
        if row.text(column):
            value = row.size(column, least=1)
            if dimensions.setdefault(column, value) != value:
                raise row.error(column, f"but {dimensions[column]} before: all rows must be of "
                                        "one model")


def _need_every_tp(path, times, present):
    for tp, of_tp in times.items():
        if not of_tp:
            raise UserError(f"{path}: has no rows for {_TP} {tp}; there are "
                            f"{_and(sorted(present))}")


def _and(sizes):
    return ", ".join(map(str, sizes))
