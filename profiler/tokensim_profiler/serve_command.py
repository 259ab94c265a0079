"""`tokensim-profile serve`: options, and a summary of what was measured."""

import argparse
import dataclasses
import os
import pathlib
import sys

from tokensim_profiler import machine, options as shared
from tokensim_profiler.errors import UserError
from tokensim_profiler.serve import loop, workload
from tokensim_profiler.serve.scheduler import Scheduler


def add_parser(commands):
    parser = commands.add_parser(
        "serve", help="run a small continuous-batching loop and write per-request stamps",
        description="Serves requests with random weights on this machine and writes a CSV that "
                    "`tokensim accuracy --truth` reads.")
    shared.add_model_options(parser)
    shared.add_device_options(parser)
    parser.add_argument("--output", required=True, metavar="FILE", help="CSV of stamps")
    parser.add_argument("--num-layers", type=shared.positive, metavar="N",
                        help="fewer layers than the model has, to fit or to be quick")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    group = parser.add_argument_group("requests")
    group.add_argument("--trace", metavar="FILE",
                       help="CSV with arrival_s, input_toks, output_toks, instead of Poisson")
    group.add_argument("--requests", type=shared.positive, metavar="N",
                       help="how many (default: 100; with --trace all of it)")
    group.add_argument("--rate", type=_rate, default=1.0, metavar="PER_SECOND")
    group.add_argument("--input-toks", type=_lengths, default=(512, 512), metavar="N[-M]",
                       help="prompt length, or uniform between two (default: 512)")
    group.add_argument("--output-toks", type=_lengths, default=(128, 128), metavar="N[-M]",
                       help="tokens to generate (default: 128)")
    group = parser.add_argument_group("engine")
    group.add_argument("--max-num-batched-tokens", type=shared.positive, default=2048, metavar="N")
    group.add_argument("--max-num-seqs", type=shared.positive, default=256, metavar="N")
    group.add_argument("--num-blocks", type=shared.positive, metavar="N",
                       help="KV blocks (default: what the requests can use and memory holds)")
    parser.set_defaults(run=run)


def run(options):
    shape = shared.load_model(options)
    if options.num_layers:
        shape = dataclasses.replace(shape, num_layers=options.num_layers)
    requests = _requests(options, shape)
    folder = pathlib.Path(options.output).absolute().parent
    if not os.access(folder, os.W_OK):  # said now, not after the run
        raise UserError(f"{options.output}: {folder} cannot be written to")
    torch = shared.import_torch(options.device)
    from tokensim_profiler import attention  # needs PyTorch
    from tokensim_profiler.operators import OperatorConfig
    from tokensim_profiler.serve.torch_executor import TorchExecutor
    backend, block_size = attention.resolve(options.attention, options.device, options.block_size)
    config = OperatorConfig(device=options.device, dtype=options.dtype, block_size=block_size,
                            backend=backend, contiguous=False)
    longest = max(request.input_toks + request.output_toks for request in requests)
    num_blocks = options.num_blocks or _num_blocks(torch, shape, requests, config, options)
    scheduler = Scheduler(num_blocks, block_size, options.max_num_batched_tokens,
                          options.max_num_seqs)
    executor = TorchExecutor(shape, config, num_blocks, longest, options.seed)
    executor.warm_up(options.max_num_batched_tokens)
    clock = loop.WallClock()
    steps = loop.serve(requests, scheduler, executor, clock)
    loop.write_stamps(options.output, requests)
    _summarise(requests, steps, clock.now(), num_blocks, config)
    return 0


def _requests(options, shape):
    if options.trace:
        return workload.from_csv(options.trace, options.seed, shape.vocab_size, options.requests)
    return workload.poisson(options.requests or 100, options.rate, options.input_toks,
                            options.output_toks, options.seed, shape.vocab_size)


def _num_blocks(torch, shape, requests, config, options):
    """Enough for the largest requests that can run together, within 40 % of free memory."""
    sizes = sorted((-(-(request.input_toks + request.output_toks) // config.block_size)
                    for request in requests), reverse=True)
    element = 4 if options.dtype == "fp32" else 2
    block_bytes = shape.kv_bytes_per_token(element) * shape.num_layers * config.block_size
    fitting = int(0.4 * machine.free_bytes(torch, options.device) / block_bytes)
    return max(1, min(sum(sizes[:options.max_num_seqs]), fitting))


def _summarise(requests, steps, seconds, num_blocks, config):
    tokens = sum(request.output_toks for request in requests)
    ttft = sum(request.first_token_s - request.arrival_s for request in requests) / len(requests)
    print(f"{len(requests)} requests, {steps} steps, {seconds:.2f} s, {tokens / seconds:.1f} "
          f"output tokens/s, mean TTFT {1e3 * ttft:.1f} ms, "
          f"{sum(request.preemptions for request in requests)} preemptions; {num_blocks} blocks of "
          f"{config.block_size} tokens, attention {config.backend}", file=sys.stderr)


def _rate(text):
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("must be above 0")
    return value


def _lengths(text):
    low, _, high = text.partition("-")
    ends = shared.positive(low), shared.positive(high or low)
    if ends[0] > ends[1]:
        raise argparse.ArgumentTypeError("must be N or LOW-HIGH")
    return ends
