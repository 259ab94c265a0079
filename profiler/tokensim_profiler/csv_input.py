"""Reads CSV files of other tools; errors name the file, the line and the column.

    for row in rows("gemm.csv.gz", ["m", "n", "latency"]):
        row.size("m"), row.time("latency"), row.text("gemm_dtype", default="")

Columns may be in any order, more than the needed ones are ignored. Files may be gzipped.
"""

import csv
import gzip
import math
import os
import zlib

from tokensim_profiler.errors import UserError

_GZIP_MAGIC = b"\x1f\x8b"


class Row:
    """One line of a file."""

    def __init__(self, path, line, fields):
        self.path = path
        self.line = line
        self._fields = fields

    def text(self, column, default=None):
        """`default` stands for a column that the file lacks."""
        return self._fields.get(column, default)

    def size(self, column, default=None, least=0):
        """A whole number; tools that write with pandas make 16.0 of it."""
        number = self._number(column, default)
        if number != int(number) or number < least:
            raise self.error(column, f"not a whole number of at least {least}")
        return int(number)

    def time(self, column):
        number = self._number(column, None)
        if number <= 0:
            raise self.error(column, "not above 0")
        return number

    def time_or_zero(self, column):
        """Of an operator that some versions of a tool do not measure: no column, or a blank."""
        if not self._fields.get(column):
            return 0.0
        number = self._number(column, None)
        if number < 0:
            raise self.error(column, "negative")
        return number

    def error(self, column, what):
        return UserError(f"{self.path}:{self.line}: {column} is "
                         f"'{self._fields.get(column)}', {what}")

    def _number(self, column, default):
        if column not in self._fields and default is not None:
            return default
        try:
            number = float(self._fields[column])
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise self.error(column, "not a number")
        return number


def rows(path, needed):
    """Every line of a CSV file, with the columns `needed` at least. No lines are an error."""
    try:
        with _open(path) as file:
            count = 0
            for row in _rows(path, csv.reader(file), needed):
                count += 1
                yield row
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        raise UserError(f"{path}: {reason}") from error
    except (UnicodeDecodeError, EOFError, zlib.error, csv.Error) as error:
        raise UserError(f"{path}: {error}") from error
    if not count:
        raise UserError(f"{path}: has no rows")


def _open(path):
    with open(path, "rb") as file:
        zipped = file.read(2) == _GZIP_MAGIC
    return (gzip.open if zipped else open)(path, "rt", encoding="utf-8-sig", newline="")


def _rows(path, lines, needed):
    header = next(lines, None)
    if not header:
        raise UserError(f"{path}: is empty")
    for column in needed:
        if column not in header:
            raise UserError(f"{path}:1: has no column {column}")
    for fields in lines:
        if not fields:
            continue
        if len(fields) != len(header):
            raise UserError(f"{path}:{lines.line_num}: has {len(fields)} columns, the first line "
                            f"has {len(header)}")
        yield Row(path, lines.line_num, dict(zip(header, fields)))
