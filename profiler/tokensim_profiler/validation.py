"""Says what is wrong with a bundle.

    for problem in check(path):
        print(problem)

Works on bundles of any origin: the expected points come from the axes that meta.yaml names. An
axis that it does not name (dense_grid in bundles of other profilers) is only checked for order.
Imported bundles (`imported` in meta.yaml) have no grid, and may lack what the engine's roofline can
price: all but dense.csv and attention.csv, and single operators of dense.csv.
"""

import math
import pathlib

from tokensim_profiler.bundle import TABLES, read_meta, read_table
from tokensim_profiler.errors import UserError
from tokensim_profiler.grid import Grid
from tokensim_profiler.shapes import PER_SEQUENCE_LAYERS, ModelShape

# What every decoder-only model has; the MLP's operators are in dense.csv or the block in moe.csv.
_REQUIRED_DENSE = {"embedding", "layernorm", "qkv_proj", "rotary_emb", "o_proj", "final_layernorm"}
_MLP = {"gate_up_proj", "act_fn", "down_proj"}
_REQUIRED_META = ("gpu", "hardware", "profiled_at", "model", "variant", "tp_degrees",
                  "engine_effective", "attention_grid")
_REQUIRED_META_IMPORTED = ("hardware", "model", "variant", "tp_degrees", "imported")


def check(root):
    """Problems as sentences; none: the bundle can be used."""
    root = pathlib.Path(root)
    try:
        meta = read_meta(root)
    except UserError as error:
        return [str(error)]
    required = _REQUIRED_META_IMPORTED if "imported" in meta else _REQUIRED_META
    problems = [f"meta.yaml: {key} is missing" for key in required if key not in meta]
    if problems:
        return problems
    if not meta["tp_degrees"]:
        problems.append("meta.yaml: tp_degrees is empty: no TP degree was measured to the end")
    has_moe = any(root.glob("tp*/moe.csv"))
    for tp in meta["tp_degrees"]:
        problems += _check_tp(root / f"tp{tp}", meta, has_moe)
    return problems


def _check_tp(folder, meta, has_moe):
    problems = []
    tables = {}
    for name, columns in TABLES.items():
        path = folder / f"{name}.csv"
        if not path.exists():
            continue
        try:
            tables[name] = read_table(path, columns)
        except (UserError, OSError) as error:
            problems.append(str(error))
            continue
        problems += [f"{path}: {text}" for text in _check_rows(name, tables[name])]
    imported = "imported" in meta
    needed = ("dense", "attention") if imported else ("dense", "per_sequence", "attention")
    problems += [f"{folder / name}.csv is missing" for name in needed
                 if not (folder / f"{name}.csv").exists()]
    if not problems and imported:
        problems = [f"{folder}: {text}" for text in _check_attention_alone(tables["attention"])]
    elif not problems:
        problems = [f"{folder}: {text}" for text in
                    _check_layers(tables, meta, has_moe) + _check_grid(tables, meta)]
    return problems


def _check_attention_alone(rows):
    """What the engine needs of attention: decodes alone, and every chunk alone."""
    chunks = {key[0] for key in rows}
    alone = {key[0] for key in rows if key[2] == 0}
    problems = [] if 0 in chunks else ["attention.csv has no decodes alone (prefill_chunk 0)"]
    if not chunks - {0}:
        problems.append("attention.csv has no chunk of a prompt")
    return problems + [f"attention.csv has no chunk of {chunk} tokens alone (n_decode 0)"
                       for chunk in sorted(chunks - {0} - alone)]


def _check_rows(name, rows):
    problems = []
    for key, microseconds in rows.items():
        if not (math.isfinite(microseconds) and microseconds > 0):
            problems.append(f"{key}: the time is {microseconds}, not positive")
        if any(size < 0 for size in key if isinstance(size, int)):
            problems.append(f"{key}: a size is negative")
        if name == "attention" and ((key[0] == 0 and key[1]) or (key[2] == 0) != (key[3] == 0)):
            problems.append(f"{key}: a context without its prefill or decodes, or the reverse")
    keys = list(rows)
    problems += [f"{after} after {before}: rows must ascend"
                 for before, after in zip(keys, keys[1:]) if after <= before]
    return problems if rows else ["no rows"]


def _check_layers(tables, meta, has_moe):
    """The MoE block depends on expert parallelism: other profilers write it at one TP degree."""
    dense = {layer for layer, _ in tables["dense"]}
    problems = []
    if "shape" in meta:
        shape = ModelShape(name=meta["model"], **meta["shape"])
        required = set(shape.dense_layers())
        if shape.num_experts and "moe" not in tables:
            problems.append("moe.csv is missing")
    else:
        required = _REQUIRED_DENSE | (set() if has_moe else _MLP)
    problems += [f"dense.csv has no {layer}" for layer in sorted(required - dense)]
    heads = {layer for layer, _ in tables["per_sequence"]}
    return problems + [f"per_sequence.csv has no {layer}" for layer in PER_SEQUENCE_LAYERS
                       if layer not in heads]


def _check_grid(tables, meta):
    """Points of the grid that are not measured. More points than the grid's are welcome."""
    attention = meta["attention_grid"]
    dense = meta.get("dense_grid", {})
    grid = Grid(tokens=dense.get("tokens", ""), sequences=dense.get("sequences", ""),
                moe_tokens=dense.get("moe_tokens", ""), chunks=attention["chunks"],
                n_decode=attention["n_decode"], kv=attention["kv"],
                max_num_seqs=meta["engine_effective"]["max_num_seqs"])
    expected = {"attention": grid.attention_rows(attention.get("max_kv_tokens"))}
    if dense:
        expected["dense"] = grid.dense_rows(sorted({layer for layer, _ in tables["dense"]}))
        expected["per_sequence"] = grid.per_sequence_rows(PER_SEQUENCE_LAYERS)
        if "moe" in tables and "shape" in meta:
            shape = meta["shape"]
            expected["moe"] = grid.moe_rows(shape["num_experts"], shape["experts_per_token"])
    problems = _uneven_layers(tables)
    for name, rows in expected.items():
        absent = [row for row in rows if row not in tables[name]]
        if absent:
            problems.append(f"{name}.csv: {len(absent)} of {len(rows)} points of the grid are "
                            f"not there, the first {absent[0]}")
    return problems


def _uneven_layers(tables):
    """Every operator of a table is measured at the same sizes."""
    problems = []
    for name in ("dense", "per_sequence"):
        sizes = {}
        for layer, size in tables[name]:
            sizes.setdefault(layer, []).append(size)
        common = next(iter(sizes.values()), [])
        problems += [f"{name}.csv: {layer} is measured at other sizes than {next(iter(sizes))}"
                     for layer, own in sizes.items() if own != common]
    return problems
