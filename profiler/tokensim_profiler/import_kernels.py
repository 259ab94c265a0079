"""`tokensim-profile import-kernels`: kernel timings of a GPU as a bundle of one model.

AIConfigurator (NVIDIA, Apache-2.0) publishes timings of single kernels under vLLM by matrix size
and by heads. The model's sizes on one tensor-parallel rank say which of them are its operators.
"""

import argparse
import dataclasses

from tokensim_profiler import importing, kernel_tables, options as shared

_ACTIVATION_BYTES = 2
_LOGIT_BYTES = 10  # 16-bit logits read, written as 32-bit, read again
_PLAIN = ("bfloat16", "float16")


def add_parser(commands):
    parser = commands.add_parser(
        "import-kernels", help="make a bundle of AIConfigurator's kernel CSVs",
        description="Picks a model's GEMMs and attention from tables of kernel timings, which may "
                    "be gzipped. Sizes that were not measured are interpolated, and said so. What "
                    "the tables lack is left out: the engine's roofline prices it.")
    shared.add_model_options(parser)
    for name in ("gemm", "context-attention", "generation-attention"):
        parser.add_argument(f"--{name}", required=True, metavar="CSV",
                            help=f"{name.replace('-', '_')}_perf of a GPU")
    parser.add_argument("--dtype", default="bfloat16", metavar="TYPE",
                        help="gemm_dtype, such as bfloat16, fp8, fp8_block (default: bfloat16)")
    parser.add_argument("--attention-dtype", default="bfloat16", metavar="TYPE",
                        help="attn_dtype (default: bfloat16)")
    parser.add_argument("--kv-dtype", default="bfloat16", metavar="TYPE",
                        help="kv_cache_dtype (default: bfloat16)")
    parser.add_argument("--max-tokens", type=shared.positive, default=16384, metavar="N",
                        help="leave out larger batches (default: 16384)")
    parser.add_argument("--memory-bandwidth", type=_positive_number, metavar="GB/S",
                        help="also write the operators that only move memory (norms, rotary "
                             "embedding, activation, embedding, sampler), as bytes over this "
                             "bandwidth: what kernels reach, not the data sheet's")
    parser.add_argument("--launch-us", type=_number, default=0.0, metavar="US",
                        help="added to each of them (default: 0)")
    importing.add_output_options(parser)
    parser.set_defaults(run=run)


def run(options):
    shape = shared.load_model(options)
    ranks = {tp: shape.rank(tp) for tp in options.tp}
    gemms = kernel_tables.read_gemms(options.gemm, options.dtype, options.max_tokens)
    # Quantised checkpoints keep the LM head in 16 bits.
    heads = gemms if options.dtype in _PLAIN else kernel_tables.read_gemms(
        options.gemm, "bfloat16", options.max_tokens)
    if shape.num_experts:
        importing.note(f"{shape.name}: its experts are not imported: the roofline prices them")
    tables = {}
    for tp, rank in ranks.items():
        tables[tp] = _projections(rank, gemms, heads, tp)
        if options.memory_bandwidth:
            _add_memory_bound(tables[tp], rank, shape.vocab_size, tp, options)
        tables[tp]["attention"] = _attention(rank, tp, options)
    if not options.memory_bandwidth:
        importing.note("without --memory-bandwidth norms, rotary embedding, activation, embedding "
                       "and sampler are left out: the roofline prices them")
    dimensions = dataclasses.asdict(shape)
    name = dimensions.pop("name")
    meta = {"hardware": options.hardware or "unknown", "model": name, "shape": dimensions,
            "variant": options.dtype,
            "imported": {"from": "kernel tables", "gemm": str(options.gemm),
                         "context_attention": str(options.context_attention),
                         "generation_attention": str(options.generation_attention),
                         "attention_dtype": options.attention_dtype, "kv_dtype": options.kv_dtype,
                         "memory_bandwidth_gb_per_s": options.memory_bandwidth,
                         "launch_us": options.launch_us}}
    return importing.write(options, meta, tables)


def _projections(rank, gemms, heads, tp):
    """dense and per_sequence: the GEMMs, as (outputs n, inputs k)."""
    query = rank.num_attention_heads * rank.head_dim
    key_value = 2 * rank.num_kv_heads * rank.head_dim
    hidden, width = rank.hidden_size, rank.intermediate_size
    sizes = {"qkv_proj": (query + key_value, hidden), "o_proj": (hidden, query)}
    if not rank.num_experts:
        sizes["gate_up_proj"] = ((2 if rank.gated_mlp else 1) * width, hidden)
        sizes["down_proj"] = (hidden, width)
    dense = {}
    for layer, (n, k) in sizes.items():
        dense.update(_curve(gemms, layer, n, k, tp))
    return {"dense": dense, "per_sequence": _curve(heads, "lm_head", rank.vocab_size, hidden, tp)}


def _curve(gemms, layer, n, k, tp):
    curve, how = gemms.curve(n, k)
    if how:
        importing.note(f"tp{tp}: {layer}: n={n}, k={k} is not measured: {how}")
    return {(layer, m): microseconds for m, microseconds in curve.items()}


def _add_memory_bound(tables, rank, vocab_size, tp, options):
    """Bytes of a row as the engine's roofline counts them (docs/compute.md)."""
    hidden = rank.hidden_size
    heads = (rank.num_attention_heads + rank.num_kv_heads) * rank.head_dim
    up = (2 if rank.gated_mlp else 1) * rank.intermediate_size
    weight = _ACTIVATION_BYTES / tp  # of the embedding, whose rows are spread over the ranks
    row_bytes = {"embedding": hidden * (weight + _ACTIVATION_BYTES),
                 "layernorm": 4 * hidden * _ACTIVATION_BYTES,
                 "final_layernorm": 4 * hidden * _ACTIVATION_BYTES,
                 "rotary_emb": 2 * heads * _ACTIVATION_BYTES}
    if rank.qk_norm:
        row_bytes["qk_norm"] = 2 * heads * _ACTIVATION_BYTES
    if not rank.num_experts:
        row_bytes["act_fn"] = (up + rank.intermediate_size) * _ACTIVATION_BYTES

    def microseconds(moved):
        return options.launch_us + moved / (options.memory_bandwidth * 1e3)

    tokens = sorted({size for _, size in tables["dense"]})
    sequences = sorted({size for _, size in tables["per_sequence"]})
    for layer, moved in row_bytes.items():
        tables["dense"].update({(layer, m): microseconds(m * moved) for m in tokens})
    tables["per_sequence"].update({
        ("sampler", m): microseconds(m * vocab_size * _LOGIT_BYTES) for m in sequences})


def _attention(rank, tp, options):
    """Chunks without history and decodes, each alone: the tables have no other rows."""
    heads = kernel_tables.Heads(rank.num_attention_heads, rank.num_kv_heads, rank.head_dim,
                                options.attention_dtype, options.kv_dtype)

    what = f"tp{tp}: context attention"
    chunks = kernel_tables.read_attention(options.context_attention, what, heads,
                                          kernel_tables.chunks_alone)
    rows = {(tokens, 0, 0, 0): microseconds for tokens, microseconds in chunks.items()
            if tokens <= options.max_tokens}
    what = f"tp{tp}: generation attention"
    decodes = kernel_tables.read_attention(options.generation_attention, what, heads,
                                           kernel_tables.decodes_alone)
    rows.update({(0, 0, batch, context): microseconds
                 for (batch, context), microseconds in decodes.items()})
    return importing.extend_decodes(rows, what)


def _number(text):
    value = float(text)
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError("must be a number of at least 0")
    return value


def _positive_number(text):
    if (value := _number(text)) == 0:
        raise argparse.ArgumentTypeError("must be above 0")
    return value
