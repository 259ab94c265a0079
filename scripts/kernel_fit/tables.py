"""Reads the kernel tables and the presets."""

import csv
import functools
import gzip
import re

import numpy as np

UNITS = {"": 1, "TFLOPS": 1e12, "GB/s": 1e9, "TB/s": 1e12, "us": 1e-6, "ns": 1e-9,
         "GiB": 2**30, "MiB": 2**20}


@functools.lru_cache(maxsize=None)
def read_table(path):
    """Columns of a .csv.gz as arrays; numbers where every value is one. Not to be changed."""
    with gzip.open(path, "rt", newline="") as file:
        rows = list(csv.reader(file))
    columns = {}
    for name, values in zip(rows[0], zip(*rows[1:])):
        try:
            columns[name] = np.array(values, float)
        except ValueError:
            columns[name] = np.array(values)
    return columns


def select(table, **values):
    """The rows where every named column has the value; columns the table lacks do not matter."""
    keep = np.ones(len(table["latency"]), bool)
    for name, value in values.items():
        if name in table:
            keep &= table[name] == value
    return {name: column[keep] for name, column in table.items()}


def read_figures(path):
    """The figures of a hardware preset that a roofline needs, in base units."""
    figures = {}
    section = ""
    with open(path, encoding="utf-8") as file:
        for line in file:
            opens = re.match(r"(\w+):\s*(#.*)?$", line)
            if opens:
                section = opens[1] + "."
            match = re.match(r"(  )?(\w+): *([0-9.e+-]+)([A-Za-z/]*)\s*(#.*)?$", line)
            if match and match[4] in UNITS:
                prefix = section if match[1] else ""
                figures[prefix + match[2]] = float(match[3]) * UNITS[match[4]]
    for peak in ("peak_fp8_flops", "peak_int8_flops"):
        if peak not in figures and "peak_8bit_flops" in figures:
            figures[peak] = figures["peak_8bit_flops"]
    return figures
