"""The experiments of the paper (TokenSim, arXiv 2503.08415), each with its tables, pictures and findings.

    outcome = tokensim.experiments.run("fig09", quick=True)
    outcome.checks, outcome.tables["fig09"].frame(), outcome.pictures["fig09"]

The specs and sizes are in configs/experiments; a module here for each says what is run, drawn and asserted.
"""

from tokensim.experiments.experiment import NAMES, Check, Experiment, Outcome, load, run

__all__ = ["NAMES", "Check", "Experiment", "Outcome", "load", "run"]
