#!/usr/bin/env python3
"""Fits the efficiency surfaces of configs/kernels/ to measured kernel tables.

    scripts/fit_kernels.py              print held-out errors, write every preset
    scripts/fit_kernels.py h100         of one device
    scripts/fit_kernels.py --check      exit 1 if a committed preset differs
    scripts/fit_kernels.py --coefficients h100   the three coefficients of the roofline, instead

The data is $TOKENSIM_DATA/kernels, by default below ../shared/data; without it, or without numpy
and scipy (Debian: python3-numpy, python3-scipy), the exit status is 77. docs/kernels.md explains
what is fitted and how it is checked.
"""

import argparse
import os
import sys

try:
    import numpy as np

    from kernel_fit import presets
    from kernel_fit.coefficients import fit_coefficients, held_out_error
    from kernel_fit.kernels import DEVICES, KEPT, KERNELS, load, trimmed_axes
    from kernel_fit.surface import Grid, fit, relative_errors
    from kernel_fit.tables import read_figures
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(77)

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HELD_OUT = 0.2


def splits(problems):
    """Which rows are held out: a fifth of the rows, and a fifth of the shapes. Fixed seed."""
    rng = np.random.default_rng(4)
    shapes = np.unique(problems.shapes)
    held = rng.choice(shapes, max(1, round(HELD_OUT * len(shapes))), replace=False)
    return {"rows": rng.random(len(problems)) < HELD_OUT,
            "shapes": np.isin(problems.shapes, held)}


def roofline_errors(kernel, problems, figures):
    """Of the three coefficients of the preset: what the surface has to beat."""
    link = kernel.kernel == "all_reduce"
    seconds = np.maximum(
        problems.flops / (figures[kernel.peak] * figures["compute_efficiency"]),
        problems.bytes / (figures[kernel.bandwidth] * (1 if link else figures["memory_efficiency"])))
    if seconds.ndim == 2:
        seconds = seconds.sum(axis=1)
    if link:
        devices = problems.sizes["devices"]
        seconds = 2 * (devices - 1) * (
            problems.bytes / devices / figures[kernel.bandwidth] +
            figures["interconnect.latency_seconds"])
    return np.abs((seconds + figures["kernel_launch_seconds"]) / problems.seconds - 1)


def fit_kernel(kernel, device, data, figures):
    """A dictionary for the preset and the table of errors; None without measurements."""
    every = load(kernel, device, data, figures)
    if every is None:
        return None
    efficiency = kernel.efficiency(every, figures)
    possible = efficiency <= 1  # else it was read from the cache: no serving engine sees that
    problems, efficiency = every.take(possible), efficiency[possible]
    grid = Grid(trimmed_axes(kernel, problems))
    errors = {}
    for name, held in splits(problems).items():
        train = {axis: sizes[~held] for axis, sizes in problems.sizes.items()}
        test = {axis: sizes[held] for axis, sizes in problems.sizes.items()}
        logs = fit(grid, train, efficiency[~held], kernel.smoothness)
        errors[name] = relative_errors(grid, logs, test, efficiency[held]).mean()
    logs = fit(grid, problems.sizes, efficiency, kernel.smoothness)
    return {
        "kernel": kernel, "grid": grid, "logs": logs, "count": len(problems),
        "impossible": 1 - possible.mean(), "held_rows": errors["rows"],
        "held_shapes": errors["shapes"],
        "all": relative_errors(grid, logs, every.sizes, kernel.efficiency(every, figures)).mean(),
        "roofline": roofline_errors(kernel, problems, figures).mean(),
        "source": presets.source(kernel, device),
    }


def fit_device(device, data, figures, only=None, kept=()):
    """The fits of every kernel measured on a device but those kept; prints their errors."""
    fits = []
    for kernel in KERNELS:
        wanted = only in (None, kernel.kernel) and (kernel.kernel, kernel.dtype) not in kept
        result = fit_kernel(kernel, device, data, figures) if wanted else None
        if result is None:
            continue
        fits.append(result)
        percent = [f"{100 * result[name]:6.1f}" for name in
                   ("held_rows", "held_shapes", "all", "impossible", "roofline")]
        print(f"{device:19} {kernel.kernel:18} {kernel.dtype:9} {result['count']:6}"
              f" {result['grid'].size:6} ", *percent, flush=True)
    return fits


def print_coefficients(device, data, figures):
    problems = load(KERNELS[0], device, data, figures)
    compute, memory, launch = fit_coefficients(problems, figures)
    print(f"{device:19} compute {compute:.2f}, memory {memory:.2f}, launch {1e6 * launch:.1f} us;"
          f" rows held out {100 * held_out_error(problems, figures):.1f} %", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("devices", nargs="*", help=", ".join(DEVICES))
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--kernel", help="print the errors of this kernel, write nothing")
    parser.add_argument("--coefficients", action="store_true", help="print them, write nothing")
    options = parser.parse_args()
    default = os.path.join(os.path.dirname(ROOT), "shared", "data")
    data = os.environ.get("TOKENSIM_DATA", default)
    if not os.path.isdir(os.path.join(data, "kernels")):
        print("no kernel tables in", data, file=sys.stderr)
        return 77
    print("rows and grid points; mean |error| in % of rows held out, of shapes held out, of all rows;")
    print("% of rows that beat the roofline; mean |error| in % of the preset's three coefficients")
    differs = False
    for device in options.devices or DEVICES:
        figures = read_figures(os.path.join(ROOT, "configs", "hardware", device + ".yaml"))
        if options.coefficients:
            print_coefficients(device, data, figures)
            continue
        path = os.path.join(ROOT, "configs", "kernels", device + ".yaml")
        before = ""
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                before = file.read()
        kept = {key: text for key, text in presets.surfaces_of(before).items()
                if key in KEPT.get(device, ())}
        fits = fit_device(device, data, figures, options.kernel, kept)
        if options.kernel is not None:
            continue
        after = presets.render(fits, kept)
        differs = differs or after != before
        if not options.check:
            with open(path, "w", encoding="utf-8") as file:
                file.write(after)
    return 1 if options.check and differs else 0


if __name__ == "__main__":
    sys.exit(main())
