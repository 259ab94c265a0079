"""Simulations on this machine, without a server: each is a call of the `tokensim` command.

    import tokensim
    result = tokensim.local.run("spec.yaml", {"workers.gpu.count": 4})
    table = tokensim.local.sweep("spec.yaml", vary={"rate": [4, 8, 16], "seed": "1..5"}, metrics=["ttft.p99"])
    best = tokensim.local.capacity("spec.yaml", attainment=0.99)[0]["capacity"]

A spec is a dict, a path, YAML text, or something from `tokensim.spec` (docs/spec.md). Thread-safe.
"""

import concurrent.futures
import csv
import json
import os
import pathlib
import tempfile
import typing

from google.protobuf import json_format

from tokensim import _schema, binary, specs
from tokensim.errors import AssertionMissed, UsageError
from tokensim.results import Replay, Result, csv_value
from tokensim.table import Table

Changes = typing.Optional[typing.Mapping[str, typing.Any]]
Values = typing.Union[str, typing.Sequence[typing.Any]]


class _LocalReplay(Replay):
    def __init__(self, spec: specs.Spec, options: typing.Sequence[str], cwd: typing.Optional[str]):
        self._spec = spec if specs.is_path(spec) or isinstance(spec, str) else specs.to_text(spec) + "\n"
        self._options = list(options)
        self._cwd = cwd

    def _write(self, file: pathlib.Path, option: str, *more: str) -> None:
        binary.spec_call("run", self._spec, "--local", "-q", "-o", "csv", option, str(file), *more, *self._options,
                         cwd=self._cwd)

    def requests(self) -> Table:
        with tempfile.TemporaryDirectory(prefix="tokensim-") as folder:
            file = pathlib.Path(folder) / "requests.csv"
            self._write(file, "--requests")
            with open(file, newline="", encoding="utf-8") as rows:
                reader = csv.reader(rows)
                names = next(reader)
                columns = list(zip(*reader)) or [()] * len(names)
        return Table({name: [csv_value(name, text) for text in cells] for name, cells in zip(names, columns)})

    def events(self, kinds: typing.Sequence[str]) -> typing.Iterator[typing.Any]:
        with tempfile.TemporaryDirectory(prefix="tokensim-") as folder:
            file = pathlib.Path(folder) / "events.jsonl"
            self._write(file, "--events", *([f"--kinds={','.join(kinds)}"] if kinds else []))
            with open(file, encoding="utf-8") as lines:
                for line in lines:
                    yield _schema.from_json("Event", line)


def run(spec: specs.Spec, changes: Changes = None, *, seed: typing.Optional[int] = None,
        asserts: typing.Sequence[str] = (), cwd: typing.Optional[str] = None,
        timeout: typing.Optional[float] = None) -> Result:
    """Runs a spec; `changes` sets fields of it, as `--set`: values are as in files, or relative (`x2`, `/8`).

    asserts   conditions as `ttft.p99 <= 500ms`; AssertionMissed when one does not hold, with the result in it
    cwd       what paths in a spec that has no file of its own are relative to; default: the working folder
    timeout   seconds of wall time

    SpecInvalid, UsageError, RunFailed; NotFound without the command.
    """
    options = binary.set_options(changes, seed)
    done = binary.spec_call("run", spec, "--local", "-o", "json", *options, *[f"--assert={a}" for a in asserts],
                            cwd=cwd, timeout=timeout)
    report = _schema.from_json("Report", done.stdout)
    missed = [line.removeprefix("MISSED: ") for line in done.warnings if line.startswith("MISSED: ")]
    warnings = [line for line in done.warnings if ": warning: " in line]
    result = Result(report, _LocalReplay(spec, options, cwd), warnings, missed=missed)
    if not done.holds:
        raise AssertionMissed("; ".join(missed), result)
    return result


def validate(spec: specs.Spec, changes: Changes = None, *, cwd: typing.Optional[str] = None):
    """The Estimate message: findings, the resolved spec, KV blocks. SpecInvalid when there are errors."""
    done = binary.spec_call("validate", spec, "-o", "json", *binary.set_options(changes, None), cwd=cwd)
    return json_format.Parse(done.stdout, _schema.message("Estimate")(), ignore_unknown_fields=True)


def catalog():
    """The Catalog message: models, hardware, policies that specs can name."""
    return json_format.Parse(binary.call("catalog", "-o", "json").stdout, _schema.message("Catalog")(),
                             ignore_unknown_fields=True)


def run_many(points: typing.Sequence[typing.Any],
             executor: typing.Optional[concurrent.futures.Executor] = None) -> typing.List[Result]:
    """A run for each point, in their order. A point is a spec or a pair of a spec and its changes.

    executor  where: any of concurrent.futures, as a ProcessPoolExecutor or Dask's `client.get_executor()`; the command
              must be found there, too. Default: threads, one for each core (each waits for a process of its own).
    """
    pairs = [point if isinstance(point, tuple) else (point, None) for point in points]
    if executor is not None:
        return list(executor.map(_run_pair, pairs))
    with concurrent.futures.ThreadPoolExecutor(_cores()) as threads:
        return list(threads.map(_run_pair, pairs))


def _run_pair(pair: typing.Tuple[specs.Spec, Changes]) -> Result:
    return run(*pair)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def sweep(spec: specs.Spec, vary: typing.Union[None, typing.Mapping[str, Values], typing.Sequence[str]] = None, *,
          variants: typing.Optional[typing.Mapping[str, typing.Mapping[str, typing.Mapping[str, typing.Any]]]] = None,
          where: typing.Sequence[str] = (), metrics: typing.Sequence[str] = (), sample: typing.Optional[int] = None,
          sample_seed: int = 0, changes: Changes = None, jobs: typing.Optional[int] = None,
          cwd: typing.Optional[str] = None) -> Table:
    """A run for every point of a space: a row each, in order (docs/search.md).

    vary      values of fields: {"workers.gpu.count": "1..8", "rate": [4, 8, "x2"]}, every combination of them; or texts
              as the command takes, where `a=1,2; b=7,6` ties fields
    variants  choices with names: {"device": {"h100": {"workers.gpu.hardware": "h100"}, ...}}
    where     conditions on the columns, as "prefill.count + decode.count == 8"
    metrics   columns, as ttft.p99; default: a dozen
    sample    only so many points, drawn at random with sample_seed
    jobs      runs at a time; default: one for each core

    The column `note` tells of saturation and errors; a point with an error has no figures.
    """
    options = [*_space(vary, variants, where), *([f"--metrics={','.join(metrics)}"] if metrics else [])]
    if sample is not None:
        options += [f"--sample={sample}", f"--sample-seed={sample_seed}"]
    return _table("sweep", spec, options, changes, jobs, cwd)


def capacity(spec: specs.Spec, *, knob: str = "", smallest: bool = False, start: typing.Optional[float] = None,
             min: typing.Optional[float] = None, max: typing.Optional[float] = None, tolerance: float = 0.01,
             hasty: bool = False, attainment: float = 0.99, asserts: typing.Sequence[str] = (), seeds: int = 1,
             quantile: float = 1, duration: typing.Optional[float] = None, warm_up: typing.Optional[float] = None,
             vary: typing.Union[None, typing.Mapping[str, Values], typing.Sequence[str]] = None,
             variants: typing.Optional[typing.Mapping[str, typing.Mapping[str, typing.Mapping[str, typing.Any]]]] = None,
             where: typing.Sequence[str] = (), changes: Changes = None, jobs: typing.Optional[int] = None,
             cwd: typing.Optional[str] = None) -> Table:
    """The largest load that a spec serves, one row, or one for each point of a space (`tokensim capacity`).

    It serves when the share `attainment` of requests is within the SLO, every assertion holds and the run is not
    saturated, for the share `quantile` of so many `seeds`.

    knob                  field to search; default: the rate of the arrivals, in requests per second
    smallest              the smallest value that serves, as of a number of workers
    start, min, max       where to begin, and what to stay within
    tolerance             how near the bracket ends, as a share
    hasty                 do not try the answer again in longer runs
    duration, warm_up     simulated seconds of arrivals of a run, and how many of them do not count

    Columns: `capacity` (None: nothing serves), `fails_at`, `broke`, `bottleneck`, figures at the answer, `note`.
    """
    options = [*_space(vary, variants, where), f"--tolerance={tolerance}",
               *_criteria(attainment, asserts, seeds, quantile, duration, warm_up)]
    options += [f"--{name}={value}" for name, value in (("knob", knob or None), ("start", start), ("min", min),
                                                        ("max", max)) if value is not None]
    options += [flag for flag, given in (("--smallest", smallest), ("--hasty", hasty)) if given]
    return _table("capacity", spec, options, changes, jobs, cwd)


def optimize(spec: specs.Spec, *, minimize: typing.Sequence[str] = (), maximize: typing.Sequence[str] = (),
             attainment: float = 0.99, asserts: typing.Sequence[str] = (), seeds: int = 1, quantile: float = 1,
             duration: typing.Optional[float] = None, warm_up: typing.Optional[float] = None,
             vary: typing.Union[None, typing.Mapping[str, Values], typing.Sequence[str]] = None,
             variants: typing.Optional[typing.Mapping[str, typing.Mapping[str, typing.Mapping[str, typing.Any]]]] = None,
             where: typing.Sequence[str] = (), changes: Changes = None, jobs: typing.Optional[int] = None,
             cwd: typing.Optional[str] = None) -> Table:
    """The best of many deployments for the load of a spec, and the Pareto front (`tokensim optimize`).

    minimize, maximize   metrics; the first decides, the front has every compromise. Default: cost.dollars_per_hour

    A row for every candidate, the best first; `result` is best, front, beaten or fails, and `why` says why. When none
    serves, no row is `best`. The rest as `capacity`.
    """
    options = [*_space(vary, variants, where), *[f"--minimize={m}" for m in minimize],
               *[f"--maximize={m}" for m in maximize],
               *_criteria(attainment, asserts, seeds, quantile, duration, warm_up)]
    return _table("optimize", spec, options, changes, jobs, cwd)


def _criteria(attainment: float, asserts: typing.Sequence[str], seeds: int, quantile: float,
              duration: typing.Optional[float], warm_up: typing.Optional[float]) -> typing.List[str]:
    options = [f"--attainment={attainment}", f"--seeds={seeds}", f"--quantile={quantile}"]
    options += [f"--assert={text}" for text in asserts]
    options += [f"--{name}={value}" for name, value in (("duration", duration), ("warm-up", warm_up))
                if value is not None]
    return options


def _space(vary, variants, where: typing.Sequence[str]) -> typing.List[str]:
    options = []
    if isinstance(vary, str):
        raise UsageError("vary: expected a mapping, or a list of texts")
    if isinstance(vary, typing.Mapping):
        for name, values in vary.items():
            text = values if isinstance(values, str) else ",".join(binary.value_text(v) for v in values)
            options.append(f"--vary={name}={text}")
    else:
        options += [f"--vary={text}" for text in vary or ()]
    for name, choices in (variants or {}).items():
        for label, fields in choices.items():
            assigned = "; ".join(f"{path}={binary.value_text(value)}" for path, value in fields.items())
            options.append(f"--variant={name}={label}: {assigned}")
    return [*options, *[f"--where={condition}" for condition in where]]


def _table(command: str, spec: specs.Spec, options: typing.Sequence[str], changes: Changes,
           jobs: typing.Optional[int], cwd: typing.Optional[str]) -> Table:
    more = [] if jobs is None else [f"--jobs={jobs}"]
    done = binary.spec_call(command, spec, *options, *more, *binary.set_options(changes, None), "-o", "json", "-q",
                            cwd=cwd)
    return Table.from_rows(json.loads(done.stdout))
