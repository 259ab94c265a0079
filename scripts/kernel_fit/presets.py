"""Writes the surfaces of a hardware preset."""

import numpy as np

from kernel_fit.kernels import DEVICES, KERNELS, file_of

WIDTH = 100
MARK = "kernels:\n"
HEADER = """\
# Share of the roofline that kernels reach by the sizes of the problem, for `compute: kernels`.
# Written by scripts/fit_kernels.py; docs/kernels.md explains the axes and lists the errors.
"""
KEPT_NOTE = """\
# GEMMs of bf16 and fp8, attention, experts of bf16 and all-reduce are on the grids that the presets of
# configs/calibrations were fitted with; on finer ones those have to be fitted again.
"""


def source(kernel, device):
    version, table = file_of(kernel, device)
    return f"AIConfigurator {table} table, {DEVICES[device][0]}, vLLM {version}"


def surfaces_of(text):
    """The surfaces of a preset as text, by kernel and dtype."""
    surfaces = {}
    for part in text.split("- kernel: ")[1:]:
        kernel, dtype = part.split("\n")[:2]
        surfaces[kernel, dtype.split(": ")[1]] = "- kernel: " + part
    return surfaces


def render(fits, kept):
    """kept: surfaces as text, by kernel and dtype."""
    surfaces = {(f["kernel"].kernel, f["kernel"].dtype): _surface(f) for f in fits} | kept
    order = [(kernel.kernel, kernel.dtype) for kernel in KERNELS]
    head = HEADER + (KEPT_NOTE if kept else "") + MARK
    return head + "".join(surfaces[key] for key in order if key in surfaces)


def _surface(result):
    kernel = result["kernel"]
    lines = [f"- kernel: {kernel.kernel}",
             f"  dtype: {kernel.dtype}",
             f"  source: {result['source']}",
             f"  error: {result['held_shapes']:.3f}  # shapes held out; of rows held out:"
             f" {result['held_rows']:.3f}",
             "  axes:"]
    for name, values in result["grid"].axes.items():
        sizes = ", ".join(f"{v:.10g}" for v in values)
        lines.append(f"  - {{name: {name}, values: [{sizes}]}}")
    lines.append("  efficiency: [")
    lines += _wrap([_number(v) for v in np.exp(result["logs"])])
    return "\n".join(lines) + "]\n"


def _number(value):
    """Three significant digits."""
    text = np.format_float_positional(value, precision=3, unique=False, fractional=False, trim="-")
    return text.removeprefix("0")


def _wrap(numbers):
    lines = [" "]
    for i, number in enumerate(numbers):
        word = number if i + 1 == len(numbers) else number + ","
        if len(lines[-1]) + len(word) > WIDTH - 1:
            lines.append(" ")
        lines[-1] += word
    return lines
