"""Writes the surfaces of a hardware preset."""

import numpy as np

from kernel_fit.kernels import DEVICES, file_of

WIDTH = 100
MARK = "kernels:\n"
HEADER = """\
# Share of the roofline that kernels reach by the sizes of the problem, for `compute: kernels`.
# Written by scripts/fit_kernels.py; docs/kernels.md explains the axes and lists the errors.
"""


def source(kernel, device):
    version, table = file_of(kernel, device)
    return f"AIConfigurator {table} table, {DEVICES[device][0]}, vLLM {version}"


def render(fits):
    return HEADER + MARK + "".join(_surface(f) for f in fits)


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
