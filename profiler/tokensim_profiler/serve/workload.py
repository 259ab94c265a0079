"""Requests for the loop: Poisson arrivals with random lengths, or a CSV file.

    requests = poisson(count=300, rate=10.0, input_toks=(64, 512), output_toks=(16, 128), seed=1,
                       vocab_size=32000)
    requests = from_csv("trace.csv", vocab_size=32000, seed=1)
"""

import csv
import os
import random

from tokensim_profiler.errors import UserError
from tokensim_profiler.serve.scheduler import Request


def poisson(count, rate, input_toks, output_toks, seed, vocab_size):
    """Exponential gaps of mean 1 / rate; lengths uniform between both ends."""
    numbers = random.Random(seed)
    arrival, requests = 0.0, []
    for index in range(count):
        arrival += numbers.expovariate(rate)
        requests.append(_request(index, arrival, numbers.randint(*input_toks),
                                 numbers.randint(*output_toks), numbers, vocab_size))
    return requests


def from_csv(path, seed, vocab_size, count=None):
    """Columns arrival_s (or trace_arrival_s, which is preferred), input_toks, output_toks."""
    numbers = random.Random(seed)
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))[:count]
    except OSError as error:
        raise UserError(f"{path}: {os.strerror(error.errno)}") from error
    requests = []
    for number, row in enumerate(rows, start=2):
        try:
            arrival = float(row["trace_arrival_s" if "trace_arrival_s" in row else "arrival_s"])
            inputs, outputs = int(row["input_toks"]), int(row["output_toks"])
        except KeyError as error:
            raise UserError(f"{path}: no column {error.args[0]}") from error
        except (TypeError, ValueError) as error:
            raise UserError(f"{path}:{number}: {error}") from error
        if inputs < 1 or outputs < 1 or arrival < 0:
            raise UserError(f"{path}:{number}: lengths must be at least 1, arrivals at least 0")
        requests.append(_request(len(requests), arrival, inputs, outputs, numbers, vocab_size))
    if not requests:
        raise UserError(f"{path}: no requests")
    return requests


def _request(index, arrival, inputs, outputs, numbers, vocab_size):
    tokens = [numbers.randrange(vocab_size) for _ in range(inputs)]
    return Request(id=index, arrival_s=arrival, tokens=tokens, input_toks=inputs,
                   output_toks=outputs)
