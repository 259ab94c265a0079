#!/usr/bin/env python3
"""Derives configs/workloads/sharegpt.yaml from measured pairs of request lengths.

    scripts/derive_lengths.py            write the preset
    scripts/derive_lengths.py --check    exit 1 if the committed preset differs
    scripts/derive_lengths.py --report   compare draws from the preset with the data

The data is $TOKENSIM_DATA/traces/sharegpt_lengths_10k_llama2.csv, by default below ../shared/data;
without it the exit status is 77. Python's standard library is enough.

Method: quantiles of the input on an even grid of probabilities; then the pairs are cut into bins by
input, and each bin gets the quantiles of its outputs. A draw inverts the first table, then the
table of the bin it fell into (engine/workload/lengths.h).
"""

import argparse
import bisect
import csv
import os
import pathlib
import random
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PRESET = ROOT / "configs" / "workloads" / "sharegpt.yaml"
TRACE = pathlib.Path("traces") / "sharegpt_lengths_10k_llama2.csv"

INPUT_POINTS = 201
OUTPUT_POINTS = 41
# Upper ends of the bins in the distribution of inputs: equal shares, then finer where the context
# limits the output.
BIN_ENDS = [i / 16 for i in range(1, 16)] + [0.96, 0.97, 0.98, 0.985, 0.99, 0.9925, 0.995, 0.9975, 1]
CONTEXT = 4096  # of Llama 2
EXIT_SKIPPED = 77


def read_pairs(path):
    with open(path, newline="") as file:
        return [(int(row["num_prefill_tokens"]), int(row["num_decode_tokens"]))
                for row in csv.DictReader(file)]


def quantile(ordered, p):
    """Linear between order statistics (R's type 7)."""
    x = p * (len(ordered) - 1)
    i = min(int(x), len(ordered) - 2) if len(ordered) > 1 else 0
    above = ordered[min(i + 1, len(ordered) - 1)]
    return ordered[i] + (x - i) * (above - ordered[i])


def grid(points):
    return [i / (points - 1) for i in range(points)]


def table(values, points):
    """Quantiles, but the last point is where it keeps the mean of the last interval: a straight
    line to the maximum would make the tail too heavy."""
    ordered = sorted(values)
    result = [quantile(ordered, p) for p in grid(points)]
    tail = ordered[-max(1, round(len(ordered) / (points - 1))):]
    last = 2 * sum(tail) / len(tail) - result[-2]
    result[-1] = min(max(last, result[-2]), ordered[-1])
    return grid(points), [round(value) for value in result]


def derive(pairs):
    """Returns (input table, [(max_input, output table)])."""
    inputs = sorted(pair[0] for pair in pairs)
    # Equal inputs share a bin, so a bound is the largest input of its bin.
    bounds = sorted({inputs[round(len(inputs) * end) - 1] for end in BIN_ENDS})
    bins = [[] for _ in bounds]
    for length, output in pairs:
        bins[bisect.bisect_left(bounds, length)].append(output)
    outputs = [table(values, OUTPUT_POINTS) for values in bins]
    return table(inputs, INPUT_POINTS), list(zip(bounds, outputs))


def flow_list(key, values, indent):
    """A YAML flow list, wrapped at 100 columns."""
    lines, line = [], " " * indent + key + ": ["
    margin = " " * len(line)
    for i, value in enumerate(values):
        word = f"{value:.10g}" + ("]" if i + 1 == len(values) else ",")
        if len(line) + len(word) + 1 > 100:
            lines.append(line.rstrip())
            line = margin
        line += word + ("" if word.endswith("]") else " ")
    return "\n".join(lines + [line])


def to_yaml(preset):
    (probabilities, values), bins = preset
    out = [
        "# Written by scripts/derive_lengths.py; do not edit.",
        "description: >-",
        "  ShareGPT conversations, Llama-2 tokenizer: input lengths, and output lengths given the",
        "  input. Quantiles of 10,000 measured pairs (sharegpt_lengths_10k_llama2.csv), all within a",
        f"  {CONTEXT}-token context. Derived November 2026.",
        "joint:",
        "  input:",
        flow_list("probabilities", probabilities, 4),
        flow_list("values", values, 4),
        "  bins:",
    ]
    for max_input, (output_probabilities, output_values) in bins:
        out += [
            f"  - max_input: {max_input}",
            "    output:",
            flow_list("probabilities", output_probabilities, 6),
            flow_list("values", output_values, 6),
        ]
    return "\n".join(out) + "\n"


def draw(preset, count):
    """Pairs drawn as the engine does, from another generator."""
    rng = random.Random(1)
    (_, input_values), bins = preset
    bounds = [bound for bound, _ in bins]

    def invert(values):
        x = rng.random() * (len(values) - 1)
        i = int(x)
        return max(1, int(values[i] + (x - i) * (values[i + 1] - values[i]) + 0.5))

    for _ in range(count):
        length = invert(input_values)
        chosen = min(bisect.bisect_left(bounds, length), len(bins) - 1)
        yield length, invert(bins[chosen][1][1])


def ranks(values):
    """Ranks from 0, ties share their mean."""
    order = sorted(range(len(values)), key=values.__getitem__)
    result = [0.0] * len(values)
    start = 0
    for i in range(1, len(order) + 1):
        if i == len(order) or values[order[i]] != values[order[start]]:
            for j in order[start:i]:
                result[j] = (start + i - 1) / 2
            start = i
    return result


def correlation(xs, ys):
    n = len(xs)
    mx, my = sum(xs) / n, sum(ys) / n
    cov = sum((x - mx) * (y - my) for x, y in zip(xs, ys))
    return cov / (sum((x - mx) ** 2 for x in xs) * sum((y - my) ** 2 for y in ys)) ** 0.5


def summary(pairs):
    rows = []
    for name, column in (("input", 0), ("output", 1), ("input + output", None)):
        values = sorted(sum(p) if column is None else p[column] for p in pairs)
        rows.append((f"{name} mean", sum(values) / len(values)))
        rows += [(f"{name} p{q}", quantile(values, q / 100)) for q in (10, 50, 90, 99)]
        rows.append((f"{name} max", values[-1]))
    xs, ys = [p[0] for p in pairs], [p[1] for p in pairs]
    rows.append(("rank correlation", correlation(ranks(xs), ranks(ys))))
    rows.append(("correlation", correlation(xs, ys)))
    above = sum(x + y > CONTEXT for x, y in pairs)
    rows.append((f"share with input + output > {CONTEXT}, %", 100 * above / len(pairs)))
    return rows


def report(pairs, preset):
    drawn = list(draw(preset, 1_000_000))
    print(f"| | data ({len(pairs):,}) | preset (1,000,000 draws) |\n|---|---|---|")
    for (name, measured), (_, sampled) in zip(summary(pairs), summary(drawn)):
        digits = 0 if measured >= 1000 else 1 if measured >= 10 else 3
        print(f"| {name} | {measured:,.{digits}f} | {sampled:,.{digits}f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the committed preset")
    parser.add_argument("--report", action="store_true", help="compare draws with the data")
    options = parser.parse_args()

    data = pathlib.Path(os.environ.get("TOKENSIM_DATA") or ROOT / ".." / "shared" / "data")
    if not (data / TRACE).exists():
        print(f"{data / TRACE} is not there: set TOKENSIM_DATA", file=sys.stderr)
        return EXIT_SKIPPED
    pairs = read_pairs(data / TRACE)
    preset = derive(pairs)
    if options.report:
        report(pairs, preset)
    elif options.check:
        if not PRESET.exists() or PRESET.read_text() != to_yaml(preset):
            print(f"{PRESET} is not what this script derives: run it again", file=sys.stderr)
            return 1
    else:
        PRESET.write_text(to_yaml(preset))
    return 0


if __name__ == "__main__":
    sys.exit(main())
