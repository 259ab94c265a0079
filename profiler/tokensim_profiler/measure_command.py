"""`tokensim-profile measure`: options, meta.yaml, and the loop over TP degrees."""

import dataclasses
import datetime
import pathlib
import sys

import tokensim_profiler
from tokensim_profiler import bundle as bundles
from tokensim_profiler import machine, options as shared, timing
from tokensim_profiler.errors import UserError
from tokensim_profiler.grid import Grid, parse_axis
from tokensim_profiler.measure import Plan, Progress, absent_rows, measure

_BYTES = {"bf16": 2, "fp16": 2, "fp32": 4}
_AXES = {"tokens": "of dense.csv", "sequences": "of per_sequence.csv",
         "chunks": "prefill chunks of attention.csv", "n_decode": "decodes of attention.csv",
         "kv": "contexts of attention.csv", "moe_tokens": "of moe.csv"}


def add_parser(commands):
    parser = commands.add_parser(
        "measure", help="measure operators and write a bundle",
        description="Writes meta.yaml and tpN/*.csv below --output. A run that was interrupted "
                    "goes on where it stopped when it is started again with the same options.")
    shared.add_model_options(parser)
    shared.add_device_options(parser)
    parser.add_argument("--output", required=True, metavar="DIR", help="the bundle's folder")
    parser.add_argument("--overwrite", action="store_true", help="measure everything anew")
    parser.add_argument("--tp", type=shared.positive_list, default=[1], metavar="N[,N]",
                        help="tensor parallelism: measures one rank of it on one device, without "
                             "the all-reduce (default: 1)")
    parser.add_argument("--layers", metavar="NAME[,NAME]",
                        help="only these operators, e.g. qkv_proj,attention,moe")
    parser.add_argument("--hardware", metavar="NAME", help="short name for meta.yaml")
    parser.add_argument("--dry-run", action="store_true", help="only say how many rows")
    _add_grid_options(parser)
    _add_timing_options(parser)
    parser.set_defaults(run=run)


def _add_grid_options(parser):
    group = parser.add_argument_group("grid", "Axes like '0, 16-2048 x2' or '1-16 +1, 32, 64'.")
    group.add_argument("--quick", action="store_true", help="a far coarser grid")
    for axis, what in _AXES.items():
        default = getattr(Grid.default(), axis)
        group.add_argument(f"--{axis.replace('_', '-')}", metavar="AXIS",
                           help=f"{what} (default: {default})")
    group.add_argument("--max-num-seqs", type=shared.positive, metavar="N",
                       help="sequences of an iteration (default: 256)")
    group.add_argument("--max-kv-tokens", type=shared.positive, metavar="N",
                       help="leave out attention rows with more context in all (default: what "
                            "fits in memory)")


def _add_timing_options(parser):
    group = parser.add_argument_group("timing")
    defaults = timing.Repeats()
    group.add_argument("--warm-up", type=shared.positive, default=defaults.warm_up, metavar="N",
                       help=f"calls before (default: {defaults.warm_up})")
    group.add_argument("--repeats", type=shared.positive, default=defaults.measured, metavar="N",
                       help=f"calls of which the median is taken (default: {defaults.measured})")
    group.add_argument("--keep-l2", action="store_true",
                       help="do not overwrite the GPU's L2 cache before each call")
    group.add_argument("--kv-layout", choices=("auto", "contiguous", "paged"), default="auto",
                       help="paged: through block tables, as `serve` does (default: paged with "
                            "flash_attn, else contiguous, which needs no copy)")


def run(options):
    shape = shared.load_model(options)
    for tp in options.tp:
        shape.rank(tp)
    grid = _grid(options)
    if options.dry_run:
        return _dry_run(shape, grid, options)
    torch = shared.import_torch(options.device)
    from tokensim_profiler import attention, operators  # need PyTorch
    backend, block_size = attention.resolve(options.attention, options.device, options.block_size)
    layout = options.kv_layout
    if layout == "auto":
        layout = "paged" if backend == "flash_attn" else "contiguous"
    config = operators.OperatorConfig(device=options.device, dtype=options.dtype, backend=backend,
                                      block_size=block_size, contiguous=layout == "contiguous")
    limit = _max_kv_tokens(torch, shape, grid, options)
    meta = _meta(torch, shape, grid, limit, config, options)
    bundle = bundles.Bundle.open(options.output, meta, options.overwrite)
    full = Plan.build(shape, grid, limit)
    plan = full.only(options.layers.split(",")) if options.layers else full
    timer = timing.make_timer(options.device, timing.Repeats(options.warm_up, options.repeats),
                              not options.keep_l2)
    complete = True
    for tp in options.tp:
        calls = operators.Operators(shape.rank(tp), shape.vocab_size, config,
                                    full.rows["attention"])
        with torch.inference_mode():
            measure(bundle, tp, plan, calls, timer, Progress(sys.stderr))
        complete &= _finish(bundle, tp, full)
    return 0 if complete else 1


def _finish(bundle, tp, full):
    absent = absent_rows(bundle, tp, full)
    if absent:
        print(f"tp{tp}: {absent} of {full.size()} rows are still to be measured: "
              "run again without --layers", file=sys.stderr)
        return False
    bundle.finish(tp)
    return True


def _grid(options):
    grid = Grid.quick() if options.quick else Grid.default()
    given = {axis: getattr(options, axis) for axis in _AXES if getattr(options, axis) is not None}
    if options.max_num_seqs:
        given["max_num_seqs"] = options.max_num_seqs
    grid = dataclasses.replace(grid, **given)
    for axis in _AXES:
        parse_axis(getattr(grid, axis))
    for rows, axes in ((grid.attention_rows(), "--chunks, --n-decode, --kv"),
                       (grid.dense_rows(["x"]), "--tokens"),
                       (grid.per_sequence_rows(["x"]), "--sequences"),
                       (grid.moe_rows(1, 1), "--moe-tokens")):
        if not rows:
            raise UserError(f"{axes}: no size above 0")
    return grid


def _dry_run(shape, grid, options):
    plan = Plan.build(shape, grid, options.max_kv_tokens)
    if options.layers:
        plan = plan.only(options.layers.split(","))
    for table, rows in plan.rows.items():
        print(f"{table}.csv  {len(rows)} rows")
    print(f"{plan.size() * len(options.tp)} rows for tp {', '.join(map(str, options.tp))}")
    return 0


def _max_kv_tokens(torch, shape, grid, options):
    """The same for all TP degrees and for the continuation of an interrupted run."""
    if options.max_kv_tokens:
        return options.max_kv_tokens
    if (pathlib.Path(options.output) / "meta.yaml").exists() and not options.overwrite:
        return bundles.read_meta(options.output).get("attention_grid", {}).get("max_kv_tokens")
    largest = max(chunk + history + n * context
                  for chunk, history, n, context in grid.attention_rows())
    needed = max(shape.rank(tp).kv_bytes_per_token(_BYTES[options.dtype]) for tp in options.tp)
    return machine.max_kv_tokens(machine.free_bytes(torch, options.device), needed, largest)


def _meta(torch, shape, grid, limit, config, options):
    about = machine.describe(torch, options.device)
    dimensions = dataclasses.asdict(shape)
    name = dimensions.pop("name")
    attention_grid = {"max_kv": parse_axis(grid.kv)[-1], "chunks": grid.chunks,
                      "n_decode": grid.n_decode, "kv": grid.kv}
    if limit:
        attention_grid["max_kv_tokens"] = limit
    return {
        "profiler": "tokensim-profile",
        "profiler_version": tokensim_profiler.__version__,
        **about,
        "hardware": options.hardware or machine.short_name(about["gpu"]),
        "profiled_at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "model": name,
        "shape": dimensions,
        "variant": options.dtype,
        "engine_effective": {
            "attention_backend": config.backend,
            "kv_layout": "contiguous" if config.contiguous else "paged",
            "block_size": config.block_size,
            "max_num_batched_tokens": parse_axis(grid.tokens)[-1],
            "max_num_seqs": grid.max_num_seqs,
        },
        "dense_grid": {"tokens": grid.tokens, "sequences": grid.sequences,
                       "moe_tokens": grid.moe_tokens},
        "attention_grid": attention_grid,
        "measurement": {"device": options.device, "statistic": "median",
                        "warm_up": options.warm_up, "iterations": options.repeats,
                        "l2_flushed": options.device == "cuda" and not options.keep_l2},
        "skew_profile": {"enabled": False},
        "skew_fit": {"enabled": False},
    }
