"""What an experiment is, and how one is run."""

import collections.abc
import dataclasses
import importlib
import pathlib
import typing

import yaml

from tokensim import local
from tokensim.errors import NotFound
from tokensim.results import Result
from tokensim.table import Table

NAMES = ("table2", "fig04", "fig06", "fig07", "fig08", "fig09", "fig10", "fig11", "fig12", "fig13", "fig14", "fig15")


@dataclasses.dataclass(frozen=True)
class Check:
    """A finding as an assertion."""

    claim: str  # what must hold here
    holds: bool
    numbers: str  # that it was judged by
    differs: str = ""  # why the claim is not the paper's; empty: it is

    @property
    def verdict(self) -> str:
        """PASS; DIFFERS: it holds, and the paper says something else; FAIL."""
        if not self.holds:
            return "FAIL"
        return "DIFFERS" if self.differs else "PASS"

    def __str__(self) -> str:
        why = f"\n         why not the paper's: {self.differs}" if self.differs else ""
        return f"{self.verdict:7}  {self.claim}\n         {self.numbers}{why}"


@dataclasses.dataclass
class Outcome:
    tables: typing.Dict[str, Table]  # by the names of their files
    pictures: typing.Dict[str, typing.Any]  # matplotlib figures, by the names of their files
    checks: typing.List[Check]


class Experiment:
    """A file of configs/experiments: a spec, and parameters of the experiment.

    `experiment["rates"]` is a parameter; in quick mode one that `quick` names has the value given there.
    """

    def __init__(self, name: str, content: collections.abc.Mapping, quick: bool = False,
                 jobs: typing.Optional[int] = None):
        self.name = name
        self.title: str = content["title"]
        self.claim: str = content["claim"]  # of the paper
        self.spec: dict = content["spec"]
        self.quick = quick
        self.jobs = jobs  # runs at a time; None: one for each core
        self._parameters = {**content.get("parameters", {}), **(content.get("quick", {}) if quick else {})}

    def __getitem__(self, name: str) -> typing.Any:
        return self._parameters[name]

    def run(self, changes: local.Changes = None) -> Result:
        return local.run(self.spec, changes)

    def run_many(self, changes: typing.Sequence[typing.Mapping[str, typing.Any]]) -> typing.List[Result]:
        return local.run_many([(self.spec, one) for one in changes])

    def sweep(self, vary, metrics: typing.Sequence[str], **options: typing.Any) -> Table:
        """As local.sweep. A point with an error is an error of the experiment."""
        table = local.sweep(self.spec, vary, metrics=metrics, jobs=self.jobs, **options)
        for row in table:
            if row["note"] and row["note"].startswith("error"):
                raise ValueError(f"{self.name}: {row}")
        return table

    def capacity(self, **options: typing.Any) -> Table:
        """As local.capacity, with the parameters `tolerance`, `duration` (seconds) and `seeds` of the experiment.

        A rate serves when it does with most seeds: ShareGPT's prompts are of such different lengths that a single run
        below the capacity may look saturated.

        An answer is not tried again in longer runs: a run that is saturated does not serve, so long ones change little.
        """
        if "duration" not in options:
            options["duration"] = self["duration"]
        options.update(seeds=self["seeds"], quantile=0.5)
        table = local.capacity(self.spec, tolerance=self["tolerance"], jobs=self.jobs, hasty=True, **options)
        for row in table:
            if row["note"] and row["note"].startswith("error"):
                raise ValueError(f"{self.name}: {row}")
        return table


def _folder() -> pathlib.Path:
    here = pathlib.Path(__file__).resolve()
    for folder in (here.with_name("configs"), here.parents[4] / "configs/experiments"):
        if folder.is_dir():
            return folder
    raise NotFound("configs/experiments is neither in this package nor in its source tree")


def load(name: str, quick: bool = False, jobs: typing.Optional[int] = None) -> Experiment:
    """NotFound for a name that is none of NAMES."""
    if name not in NAMES:
        raise NotFound(f"no experiment '{name}': there are {', '.join(NAMES)}")
    text = (_folder() / f"{name}.yaml").read_text(encoding="utf-8")
    return Experiment(name, yaml.safe_load(text), quick, jobs)


def run(name: str, quick: bool = False, jobs: typing.Optional[int] = None) -> Outcome:
    """Runs one; quick: smaller, for tests. NotFound without the command or matplotlib."""
    experiment = load(name, quick, jobs)
    return importlib.import_module(f"tokensim.experiments.{name}").run(experiment)
