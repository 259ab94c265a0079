"""Reads and writes profile bundles: meta.yaml and one folder of CSV tables per TP degree.

    bundle = Bundle.open(path, meta)              # new, or a partly measured one with the same meta
    table = bundle.table(tp=1, name="dense")
    if ("o_proj", 16) not in table:
        table.add(("o_proj", 16), microseconds)   # on disk at once: an interrupted run goes on
    bundle.finish(tp=1)                           # sorts the tables, notes the TP degree
"""

import csv
import os
import pathlib

import yaml

from tokensim_profiler.errors import UserError

# Columns before time_us. Times are microseconds of one invocation in one layer on one rank.
TABLES = {
    "dense": ("layer", "tokens"),
    "per_sequence": ("layer", "sequences"),
    "attention": ("prefill_chunk", "kv_prefill", "n_decode", "kv_decode"),
    "moe": ("tokens", "activated_experts"),
}
# What may differ between the runs that fill one bundle.
_OF_A_RUN = ("profiled_at", "imported_at", "tp_degrees")


class Table:
    """One CSV file, appended to row by row and kept in memory by its key."""

    def __init__(self, path, columns):
        self.path = path
        self.columns = columns
        self.rows = {}
        if path.exists():
            self.rows = read_table(path, columns, torn_tail=True)
        self._write()

    def __contains__(self, key):
        return tuple(key) in self.rows

    def add(self, key, microseconds):
        self.rows[tuple(key)] = microseconds
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(_line(key, microseconds))

    def sort(self):
        self.rows = dict(sorted(self.rows.items()))
        self._write()

    def _write(self):
        lines = [",".join(self.columns + ("time_us",)) + "\n"]
        lines += [_line(key, microseconds) for key, microseconds in self.rows.items()]
        _replace(self.path, "".join(lines))


class Bundle:
    """A folder with meta.yaml and tpN/TABLE.csv."""

    def __init__(self, root, meta):
        self.root = root
        self.meta = meta

    @staticmethod
    def open(root, meta, overwrite=False):
        """Creates the bundle, or goes on with one that was measured in the same way."""
        root = pathlib.Path(root)
        path = root / "meta.yaml"
        if path.exists() and not overwrite:
            before = read_meta(root)
            differing = sorted(key for key in set(before) | set(meta)
                               if key not in _OF_A_RUN and before.get(key) != meta.get(key))
            if differing:
                raise UserError(f"{root} was measured in another way ({', '.join(differing)} "
                                "differ): give another --output, or --overwrite")
            meta = dict(meta, tp_degrees=before.get("tp_degrees", []))
        elif path.exists():
            _remove_tables(root)
        bundle = Bundle(root, dict(meta))
        bundle.meta.setdefault("tp_degrees", [])
        try:
            root.mkdir(parents=True, exist_ok=True)
            bundle._write_meta()
        except OSError as error:
            raise UserError(f"{root}: {os.strerror(error.errno)}") from error
        return bundle

    def table(self, tp, name):
        folder = self.root / f"tp{tp}"
        folder.mkdir(exist_ok=True)
        return Table(folder / f"{name}.csv", TABLES[name])

    def replace(self, tp, tables):
        """Writes tables of a TP degree, {name: {key: microseconds}}, and forgets their rows."""
        for name, rows in tables.items():
            table = self.table(tp, name)
            table.rows = dict(rows)
            table.sort()

    def finish(self, tp):
        """Every row of this TP degree is measured."""
        for path in sorted((self.root / f"tp{tp}").glob("*.csv")):
            if path.stem in TABLES:
                self.table(tp, path.stem).sort()
        self.meta["tp_degrees"] = sorted(set(self.meta["tp_degrees"]) | {tp})
        self._write_meta()

    def _write_meta(self):
        _replace(self.root / "meta.yaml", yaml.safe_dump(self.meta, sort_keys=False))


def read_meta(root):
    path = pathlib.Path(root) / "meta.yaml"
    try:
        meta = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {os.strerror(error.errno)}") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path}: {error}") from error
    if not isinstance(meta, dict):
        raise UserError(f"{path}: must be a mapping")
    return meta


def read_table(path, columns, torn_tail=False):
    """Rows by key. `torn_tail`: drop a last line that was being written when the run died."""
    text = path.read_text(encoding="utf-8")
    if torn_tail and not text.endswith("\n"):
        text = text[:text.rfind("\n") + 1]
    lines = list(csv.reader(text.splitlines()))
    header = list(columns) + ["time_us"]
    if not lines and torn_tail:
        return {}
    if not lines or lines[0] != header:
        raise UserError(f"{path}: the first line must be {','.join(header)}")
    rows = {}
    for number, line in enumerate(lines[1:], start=2):
        try:
            key, microseconds = _parse(line, columns)
        except ValueError as error:
            raise UserError(f"{path}:{number}: {error}") from error
        if key in rows:
            raise UserError(f"{path}:{number}: the row {key} is there twice")
        rows[key] = microseconds
    return rows


def _parse(line, columns):
    if len(line) != len(columns) + 1:
        raise ValueError(f"{len(line)} columns instead of {len(columns) + 1}")
    key = tuple(text if column == "layer" else int(text) for column, text in zip(columns, line))
    return key, float(line[-1])


def _line(key, microseconds):
    return ",".join([str(part) for part in key] + [f"{microseconds:.6g}"]) + "\n"


def _replace(path, text):
    """Writes beside and renames, so that a reader or a crash never sees half a file."""
    beside = path.with_name(path.name + ".tmp")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)


def _remove_tables(root):
    for path in root.glob("tp*/*.csv"):
        if path.stem in TABLES:
            path.unlink()
