#!/usr/bin/env python3
"""Replays every measured run at hand and prints how far the simulation is from each.

    TOKENSIM_BIN_DIR=build/release/bin python3 tests/validation/validation_test.py -v

Constants of a host are fitted (`tokensim calibrate`) and always judged on what they were not fitted
to: the vLLM runs on the run of the other model of that host, the H100 runs with the two other
models. A figure that leaves its tolerance fails. The tables go to stdout and, when
TOKENSIM_VALIDATION_TABLE names a file, into that. Skipped without the data (TOKENSIM_DATA).
"""

import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN_DIR = pathlib.Path(os.environ.get("TOKENSIM_BIN_DIR", ROOT / "build/release/bin")).resolve()
DATA_DIR = pathlib.Path(os.environ.get("TOKENSIM_DATA", ROOT / "../shared/data")).resolve()
CLI = str(BIN_DIR / "tokensim")
SPECS = pathlib.Path(__file__).resolve().parent
TIMEOUT_SECONDS = 1200

PROFILES = DATA_DIR / "profiles/RTXPRO6000"
VLLM_RUNS = {  # name: profile bundle
    "pro8b": PROFILES / "meta-llama/Llama-3.1-8B/bf16/tp1",
    "pro32b": PROFILES / "Qwen/Qwen3-32B/bf16/tp2",
}
H100_MODELS = {  # spec: prefix of its runs
    "h100-llama2-7b": "llama-2-7b-",
    "h100-llama2-70b": "llama-2-70b-",
    "h100-mixtral": "mixtral-",
}
VLLM_FIT = "iteration_seconds,prefill_dense_factor,attention_factor"
# Attention factor and all-reduce are in the specs: both are of other hosts (docs/accuracy.md).
H100_FIT = "iteration_seconds,sequence_seconds,request_seconds"

# Largest absolute errors, in %. The goals of the project are 1 % and, of TTFT, 2 % for the vLLM
# runs, and 5 % and 10 % for those on H100; these are what is reached, with a little room.
VLLM_TOLERANCE = {
    "pro8b": {"throughput": 4, "ttft": 11, "tpot": 3.2, "e2e": 4.8},
    "pro32b": {"throughput": 2.3, "ttft": 1.5, "tpot": 0.9, "e2e": 1.9},
}
PRESET = "rtx-pro-6000-vllm-0.19"  # fitted to both runs
PRESET_TOLERANCE = {"throughput": 2, "ttft": 0.9, "tpot": 0.7, "e2e": 1.6}
H100_TOLERANCE = {"throughput": 1, "ttft": 18, "tpot": 5, "e2e": 5}
# A stage whose queue comes and goes: Llama-2-70B was held up by something once, and Mixtral at 20/s
# is so near max_num_seqs that 2 ms in a token decide.
H100_LOOSE = {"throughput": 2, "tpot": 15, "e2e": 20}
H100_LOOSE_STAGES = {("70b", "general", "stage1"), ("mixtral", "general", "stage1")}

# On the same data: simulated minus measured in %, mean/p50/p90/p99 of TTFT, TPOT and E2E.
RIVALS = {
    "pro8b": [
        ("LLMServingSim 2.0", "-4.0 -8.6 -4.4 -2.0", "-1.0 -0.0 +0.5 +0.6", "-1.8 -1.2 -1.8 -1.6"),
    ],
    "pro32b": [
        ("LLMServingSim 2.0", "+1.3 +1.7 +0.9 +0.9", "+0.8 +0.8 +0.9 +1.3", "+1.0 +0.9 +0.8 +1.3"),
    ],
}
H100_RIVAL = ("BLIS, absolute: TTFT median 22; TPOT mean 24, median 15; E2E mean 187, median 15 "
              "(12 clean runs)")


def tokensim(*args):
    """Runs the command line; its stdout."""
    done = subprocess.run([CLI, *map(str, args)], capture_output=True, text=True, check=False,
                          timeout=TIMEOUT_SECONDS)
    if done.returncode != 0:
        raise AssertionError(f"tokensim {' '.join(map(str, args))}: {done.returncode}\n"
                             f"{done.stderr[-4000:]}")
    return done.stdout


def accuracy(spec, truth, *args):
    out = tokensim("accuracy", "-q", "--spec", spec, "--truth", truth, "-o", "json", *args)
    return json.loads(out)["comparisons"]


def errors(comparison, metric):
    """Percent, by statistic."""
    return {statistic: 100 * figure["error"]
            for statistic, figure in comparison["metrics"][metric].items()
            if isinstance(figure, dict)}


def text(comparison, metric):
    return " ".join(f"{error:+.1f}" for error in errors(comparison, metric).values())


class Table:
    """Aligned columns, printed and kept."""

    all = []

    def __init__(self, title, columns):
        self.title = title
        self.rows = [columns]

    def add(self, *cells):
        self.rows.append([str(cell) for cell in cells])

    def end(self, *notes):
        widths = [max(map(len, column)) for column in zip(*self.rows)]
        lines = [self.title]
        for row in self.rows:
            lines.append("  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip())
        Table.all.append("\n".join([*lines, *notes]) + "\n")
        print("\n" + Table.all[-1], flush=True)


def tearDownModule():
    file = os.environ.get("TOKENSIM_VALIDATION_TABLE")
    if file and Table.all:
        pathlib.Path(file).write_text("\n".join(Table.all), encoding="utf-8")


@unittest.skipUnless(DATA_DIR.is_dir(), f"no measured runs in {DATA_DIR}")
class Validation(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="tokensim-validation-")
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name)

    def check(self, name, comparison, tolerance):
        self.assertEqual(comparison["not_simulated"], 0, name)
        for metric, limit in tolerance.items():
            for statistic, error in errors(comparison, metric).items():
                with self.subTest(run=name, figure=f"{metric}.{statistic}"):
                    self.assertLessEqual(abs(error), limit)


class VllmRuns(Validation):
    """Request by request, each with constants fitted to the other model."""

    @staticmethod
    def arguments(name):
        return ("--set", f"workers[0].compute.profile.path={VLLM_RUNS[name]}")

    def fit(self, name):
        file = self.dir / f"{name}.yaml"
        tokensim("calibrate", "--spec", SPECS / f"{name}.yaml", "--truth", self.truth(name),
                 "--fit", VLLM_FIT, "-o", file, *self.arguments(name))
        return file

    @staticmethod
    def truth(name):
        return DATA_DIR / f"vllm_runs/{name}.csv"

    def test_vllm_runs(self):
        table = Table("vLLM 0.19 runs, 300 requests each. Errors in %: mean p50 p90 p99",
                      ["run", "system", "TTFT", "TPOT", "E2E", "throughput", "TTFT each"])
        fits = {name: self.fit(name) for name in VLLM_RUNS}
        for name in VLLM_RUNS:
            for system, ttft, tpot, e2e in RIVALS[name]:
                table.add(name, system, ttft, tpot, e2e, "", "")
            systems = [("TokenSim, not calibrated", None)]
            systems += [(f"TokenSim, calibrated on {other}", other)
                        for other in VLLM_RUNS if other != name]
            systems += [("TokenSim, in-sample", name), (f"TokenSim, preset {PRESET}", PRESET)]
            for system, fitted in systems:
                calibration = ()
                if fitted == PRESET:
                    calibration = ("--set", f"calibration={PRESET}")
                elif fitted:
                    calibration = ("--set", f"calibration.path={fits[fitted]}")
                run = accuracy(SPECS / f"{name}.yaml", self.truth(name), *self.arguments(name),
                               *calibration)[0]
                table.add(name, system, *(text(run, m) for m in ("ttft_queued", "tpot", "e2e_queued")),
                          f"{errors(run, 'throughput')['requests_per_second']:+.1f}",
                          f"{100 * run['metrics']['ttft_queued']['mape']:.1f}")
                if fitted == PRESET:
                    self.check(f"{name} with the preset", run, PRESET_TOLERANCE)
                elif fitted not in (None, name):
                    self.check(f"{name} with the constants of {fitted}", run, VLLM_TOLERANCE[name])
        table.end("TTFT and E2E count from the queued stamp, as in the rival's own table.")


class H100Runs(Validation):
    """Stages, each model with constants fitted to the others."""

    @staticmethod
    def runs(model):
        return sorted((DATA_DIR / "h100_runs").glob(H100_MODELS[model] + "*.json"))

    @staticmethod
    def overloaded(run):
        return json.loads(run.read_text(encoding="utf-8"))["overloaded"]

    def fit_without(self, model):
        file = self.dir / f"without-{model}.yaml"
        args = []
        for other in H100_MODELS:
            if other == model:
                continue
            for run in self.runs(other):
                if not self.overloaded(run):
                    args += ["--spec", SPECS / f"{other}.yaml", "--truth", run]
        tokensim("calibrate", "-q", "--fit", H100_FIT, "-o", file, *args)
        return file

    def test_h100_runs(self):
        table = Table("H100 runs, vLLM 0.15.1; constants fitted to the two other models. "
                      "Errors in %: mean p50 p90",
                      ["run", "rate", "TTFT", "TPOT", "E2E", "throughput", "measured", "simulated"])
        absolute = {"ttft": [], "tpot": [], "e2e": []}
        for model in H100_MODELS:
            calibration = self.fit_without(model)
            for run in self.runs(model):
                stages = accuracy(SPECS / f"{model}.yaml", run, "--set",
                                  f"calibration.path={calibration}")
                for stage in stages:
                    self.add_stage(table, run.stem, stage, absolute)
        table.end(*(f"TokenSim, absolute {metric}: mean {statistics.mean(values):.1f}, "
                    f"median {statistics.median(values):.1f}, largest {max(values):.1f}"
                    for metric, values in absolute.items()), H100_RIVAL)

    def add_stage(self, table, name, stage, absolute):
        saturation = stage["saturation"]
        states = ["saturated" if saturation[side] else "keeps up"
                  for side in ("measured", "simulated")]
        figures = ["", "", "", ""]
        if not stage["overloaded"]:
            figures = [text(stage, metric) for metric in ("ttft", "tpot", "e2e")]
            figures.append(f"{errors(stage, 'throughput')['requests_per_second']:+.1f}")
            for metric, values in absolute.items():
                values.append(abs(errors(stage, metric)["mean"]))
            loose = any(model in name and kind in name and stage["name"].startswith(which)
                        for model, kind, which in H100_LOOSE_STAGES)
            self.check(f"{name} {stage['name']}", stage,
                       H100_LOOSE if loose else H100_TOLERANCE)
        table.add(name, f"{saturation['offered_requests_per_second']:g}/s", *figures, *states)
        with self.subTest(run=name, stage=stage["name"]):
            self.assertEqual(saturation["simulated"], saturation["measured"], "saturation")


if __name__ == "__main__":
    unittest.main()
