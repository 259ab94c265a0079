"""What the importers share: options, remarks, and writing the bundle.

An importer turns the tables of another tool into {tp: {table: {key: microseconds}}} and hands them
to `write`.
"""

import datetime
import pathlib
import statistics
import sys

import tokensim
from tokensim.profiler import bundle as bundles, options as shared
from tokensim.profiler.errors import UserError


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


def write(options, meta, tables):
    """Writes the bundle, and says what is in it."""
    meta = {"profiler": f"tokensim-profile {options.command}",
            "profiler_version": tokensim.__version__,
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
