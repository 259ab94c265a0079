"""TokenSim, a simulator of LLM inference serving, from Python.

    import tokensim
    result = tokensim.local.run("spec.yaml")               # in a process of its own, no server
    result = tokensim.Client("127.0.0.1:50051").run(spec)  # on a server; needs grpcio
    result["ttft.p99"], result.requests().frame()

Times are in seconds of simulated time and sizes in bytes, as the names of fields say. docs/python.md.
"""

import importlib

from tokensim import local, plots, spec
from tokensim.errors import (AssertionMissed, NotFound, RunFailed, ServerError, SpecInvalid, TokensimError,
                             UsageError, Violation)
from tokensim.results import Result, metrics
from tokensim.specs import change
from tokensim.table import Table

__version__ = "0.1.0"
__all__ = ["AssertionMissed", "Client", "NotFound", "Result", "RunFailed", "ServerError", "SpecInvalid", "Table",
           "TokensimError", "UsageError", "Violation", "aio", "change", "local", "metrics", "plots", "spec"]


def __getattr__(name: str):
    # grpcio takes 0.1 s to import: those who stay local do not pay for it.
    if name == "Client":
        from tokensim.client import Client
        return Client
    if name == "aio":
        return importlib.import_module("tokensim.aio")
    raise AttributeError(f"module 'tokensim' has no attribute '{name}'")
