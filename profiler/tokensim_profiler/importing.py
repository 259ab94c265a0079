"""What the importers share: options, remarks, and writing the bundle.

An importer turns the tables of another tool into {tp: {table: {key: microseconds}}} and hands them
to `write`.
"""

import datetime
import pathlib
import statistics
import sys

import tokensim_profiler
from tokensim_profiler import bundle as bundles, options as shared
from tokensim_profiler.errors import UserError


def add_output_options(parser):
    parser.add_argument("--tp", type=shared.positive_list, default=[1], metavar="N[,N]",
                        help="tensor parallelism (default: 1)")
    parser.add_argument("--hardware", metavar="NAME", help="short name of the GPU for meta.yaml")
    parser.add_argument("--output", required=True, metavar="DIR", help="the bundle's folder")
    parser.add_argument("--overwrite", action="store_true",
                        help="replace a bundle that was made in another way")


def note(text):
    """A remark on how something was converted."""
    print(f"note: {text}", file=sys.stderr)


def median(times):
    """Of rows that are there several times."""
    return {key: statistics.median(values) for key, values in times.items()}


def extend_decodes(rows, what):
    """Adds the decodes whose keys and values were too many to measure.

    Tables stop where sequences times context reach what memory holds, so large batches have short
    contexts only. Decode attention is then bound by memory and its time a straight line in the
    context: it goes on as between the last two contexts, but no row is faster for its tokens than
    the fastest that was measured.
    """
    by_batch = {}
    for (chunk, _, batch, context), microseconds in rows.items():
        if chunk == 0:
            by_batch.setdefault(batch, {})[context] = microseconds
    contexts = {context for times in by_batch.values() for context in times}
    per_token = min(microseconds / (batch * context) for batch, times in by_batch.items()
                    for context, microseconds in times.items())
    added = {}
    for batch, times in by_batch.items():
        *before, last = sorted(times)
        slope = batch * per_token
        if before:
            slope = max(slope, (times[last] - times[before[-1]]) / (last - before[-1]))
        for context in contexts:
            if context > last:
                added[0, 0, batch, context] = times[last] + slope * (context - last)
    if added:
        note(f"{what}: {len(added)} of {len(by_batch) * len(contexts)} batches of decodes are "
             "longer than was measured: their time grows as between the last two contexts")
    return {**rows, **added}


def write(options, meta, tables):
    """Writes the bundle, and says what is in it."""
    meta = {"profiler": f"tokensim-profile {options.command}",
            "profiler_version": tokensim_profiler.__version__,
            "imported_at": datetime.datetime.now(datetime.timezone.utc).isoformat(
                timespec="seconds"),
            **meta}
    try:
        bundle = bundles.Bundle.open(options.output, meta, options.overwrite)
        for tp, by_name in tables.items():
            bundle.replace(tp, by_name)
            bundle.finish(tp)
            counts = ", ".join(f"{name}.csv {len(rows)} rows" for name, rows in by_name.items())
            print(f"{pathlib.Path(options.output) / f'tp{tp}'}: {counts}")
    except OSError as error:
        raise UserError(f"{options.output}: {error.strerror}") from error
    return 0
