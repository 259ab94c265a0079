#!/usr/bin/env python3
"""Replays every measured run at hand and prints how far the simulation is from each.

    TOKENSIM_BIN_DIR=build/release/bin python3 tests/validation/validation_test.py -v

Constants of a host are fitted (`tokensim calibrate`) and always judged on what they were not fitted
to: the vLLM runs on the run of the other model of that host, the H100 runs with the two other
models. A figure that leaves its tolerance fails. The tables go to stdout and, when
TOKENSIM_VALIDATION_TABLE names a file, into that. Skipped without the data (TOKENSIM_DATA).
"""

import csv
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
RESIDENCY = DATA_DIR / "residency"
RESIDENCY_FITTED = {  # run: requests its client had in flight at most, 0: no limit
    "rate_2rps": 0, "rate_4rps": 0, "rate_6rps": 0, "rate_8rps": 0, "w5_24rps": 256,
}
RESIDENCY_SCORED = ("tenants_1t_2rps", "tenants_2t_4rps", "tenants_3t_6rps", "tenants_4t_8rps")
REPEATED = ("rate_4rps", "tenants_2t_4rps")  # the same schedule and prompts
VLLM_FIT = "iteration_seconds,prefill_dense_factor,attention_factor"
RESIDENCY_FIT = "iteration_seconds,sequence_seconds,compute_factor,request_seconds"
# Attention factor and sustained clocks are in the specs: of another host, and of the device.
H100_FIT = "sequence_seconds,all_reduce_seconds,request_seconds"

# Largest absolute errors, in %. The goals of the project are 1 % and, of TTFT, 2 % for the vLLM
# runs, and 5 % and 10 % for those on H100; these are what is reached, with a little room.
VLLM_TOLERANCE = {
    "pro8b": {"throughput": 4, "ttft": 11, "tpot": 3.2, "e2e": 4.8},
    "pro32b": {"throughput": 2.3, "ttft": 1.5, "tpot": 0.9, "e2e": 1.9},
}
PRESET = "rtx-pro-6000-vllm-0.19"  # fitted to both runs
PRESET_TOLERANCE = {"throughput": 2, "ttft": 0.9, "tpot": 0.7, "e2e": 1.6}
RESIDENCY_PRESET = "h100-vllm-0.23"  # fitted to RESIDENCY_FITTED
MLENERGY_PRESET = "h100-vllm-0.15"
RESIDENCY_TOLERANCE = {"throughput": 1, "ttft": 6, "tpot": 3.5, "e2e": 3.5}
RESIDENCY_CLOSED = {"throughput": 3, "tpot": 4}
H100_TOLERANCE = {"throughput": 1, "ttft": 18, "tpot": 5.5, "e2e": 6}
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


def accuracy(spec, truth, *args, key="comparisons"):
    out = tokensim("accuracy", "-q", "--spec", spec, "--truth", truth, "-o", "json", *args)
    return json.loads(out)[key]


def errors(comparison, metric):
    """Percent, by statistic."""
    return {statistic: 100 * figure["error"]
            for statistic, figure in comparison["metrics"][metric].items()
            if isinstance(figure, dict)}


def text(comparison, metric):
    return " ".join(f"{error:+.1f}" for error in errors(comparison, metric).values())


def verdict(goals, figures):
    """"met", or what missed its goal: both by name, in %."""
    missed = [f"{name} {figures[name]:+.1f}" for name, goal in goals.items()
              if abs(figures[name]) > goal]
    return "met" if not missed else "missed: " + ", ".join(missed)


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

    @staticmethod
    def goal(run):
        """Every figure of TPOT, E2E and throughput within 1 %, of TTFT within 2 %."""
        worst = lambda metric: max(errors(run, metric).values(), key=abs)
        return verdict({"TTFT": 2, "TPOT": 1, "E2E": 1, "throughput": 1},
                       {"TTFT": worst("ttft_queued"), "TPOT": worst("tpot"),
                        "E2E": worst("e2e_queued"), "throughput": worst("throughput")})

    def test_vllm_runs(self):
        table = Table("vLLM 0.19 runs, 300 requests each. Errors in %: mean p50 p90 p99",
                      ["run", "system", "TTFT", "TPOT", "E2E", "throughput", "TTFT each", "goal"])
        fits = {name: self.fit(name) for name in VLLM_RUNS}
        for name in VLLM_RUNS:
            for system, ttft, tpot, e2e in RIVALS[name]:
                table.add(name, system, ttft, tpot, e2e, "", "", "")
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
                          f"{100 * run['metrics']['ttft_queued']['mape']:.1f}", self.goal(run))
                if fitted == PRESET:
                    self.check(f"{name} with the preset", run, PRESET_TOLERANCE)
                elif fitted not in (None, name):
                    self.check(f"{name} with the constants of {fitted}", run, VLLM_TOLERANCE[name])
        table.end("TTFT and E2E count from the queued stamp, as in the rival's own table.")


class ResidencyRuns(Validation):
    """Qwen3-14B under vLLM 0.23, request by request; each run with constants fitted to the others."""

    SPEC = SPECS / "h100-qwen3-14b.yaml"

    def fit(self, name, runs):
        file = self.dir / f"{name}.yaml"
        args = []
        for run in runs:
            args += ["--truth", RESIDENCY / f"{run}.csv", "--max-in-flight", RESIDENCY_FITTED[run]]
        tokensim("calibrate", "-q", "--spec", self.SPEC, "--fit", RESIDENCY_FIT, "-o", file, *args)
        return file

    def score(self, table, run, fitted_to, calibration):
        places = RESIDENCY_FITTED.get(run, 0)
        closed = ("--max-in-flight", places) if places else ()
        scored = accuracy(self.SPEC, RESIDENCY / f"{run}.csv", "--set", calibration, *closed)[0]
        tpot, e2e = errors(scored, "tpot")["mean"], errors(scored, "e2e")["mean"]
        ttft = errors(scored, "ttft")["mean"]
        throughput = errors(scored, "throughput")["requests_per_second"]
        figures = {"TPOT": tpot, "E2E": e2e, "TTFT": ttft, "throughput": throughput}
        goals = {"throughput": 2, "TPOT": 3} if places else {"TPOT": 2, "E2E": 2, "TTFT": 4}
        table.add(run, fitted_to, *(text(scored, m) for m in ("ttft", "tpot", "e2e")),
                  f"{throughput:+.1f}", f"{100 * scored['metrics']['ttft']['mape']:.1f}",
                  verdict(goals, figures))
        return scored

    def test_residency(self):
        table = Table("Qwen3-14B, one H100, vLLM 0.23. Errors in %: mean p50 p90 p99",
                      ["run", "fitted to", "TTFT", "TPOT", "E2E", "throughput", "TTFT each",
                       "goal"])
        for run in RESIDENCY_FITTED:
            fitted = self.fit(f"without-{run}", [r for r in RESIDENCY_FITTED if r != run])
            scored = self.score(table, run, "the others", f"calibration.path={fitted}")
            self.check(f"{run} with the constants of the others", scored,
                       RESIDENCY_CLOSED if RESIDENCY_FITTED[run] else RESIDENCY_TOLERANCE)
        for run in (*RESIDENCY_FITTED, *RESIDENCY_SCORED):
            scored = self.score(table, run, RESIDENCY_PRESET, f"calibration={RESIDENCY_PRESET}")
            self.check(f"{run} with the preset", scored,
                       RESIDENCY_CLOSED if RESIDENCY_FITTED.get(run) else RESIDENCY_TOLERANCE)
        noise = accuracy(self.SPEC, RESIDENCY / f"{REPEATED[0]}.csv", "--repeat",
                         RESIDENCY / f"{REPEATED[1]}.csv", key="noise")
        table.add(" again", "noise", *(text(noise, m) for m in ("ttft", "tpot", "e2e")), "",
                  f"{100 * noise['metrics']['ttft']['mape']:.1f}", "")
        table.end("w5_24rps is replayed as a client with 256 places.")


class MlperfRun(Validation):
    """Llama-3.1-8B fp8 in MLPerf's Server scenario; constants of other engines do not hold for it."""

    def test_mlperf(self):
        table = Table("MLPerf v5.1, Llama-3.1-8B fp8 on one H100, vLLM 0.10. Errors in %: mean p50 p90",
                      ["system", "TTFT", "TPOT", "E2E", "measured", "simulated", "goal"])
        stage = accuracy(SPECS / "h100-mlperf-llama3.1-8b.yaml",
                         DATA_DIR / "mlperf/redhat_h100.json")[0]
        saturation = stage["saturation"]
        states = ["saturated" if saturation[side] else "keeps up"
                  for side in ("measured", "simulated")]
        table.add("not calibrated", *(text(stage, m) for m in ("ttft", "tpot", "e2e")), *states,
                  verdict({"TPOT": 5}, {"TPOT": errors(stage, "tpot")["mean"]}))
        table.end("TTFT is partly the client's, and needs long_prefill_token_threshold.")
        self.assertEqual(saturation["simulated"], saturation["measured"], "saturation")


class MlEnergyRuns(Validation):
    """Time between tokens by batch size, under vLLM 0.11.1 on H100; models that specs can name."""

    MODELS = {  # model in the data: preset, method of its generation_config, requests' tokens
        "meta-llama/Llama-3.1-8B-Instruct": "llama3.1-8b",
        "meta-llama/Llama-3.1-70B-Instruct": "llama3.1-70b",
        "Qwen/Qwen3-32B": "qwen3-32b",
        "Qwen/Qwen3-30B-A3B-Instruct-2507": "qwen3-30b-a3b",
    }
    SPEC = """
name: {model}
model: {model}
workers:
  - hardware: h100
    compute: {{kernels: {{}}}}
    parallelism: {{tensor: {tensor}}}
    memory: {{kv_blocks: 100000}}
local_scheduler: {{max_num_seqs: {batch}, max_num_batched_tokens: 8192, async_scheduling_depth: {depth}}}
sampling: {{method: filtered, filter: sort}}
calibration: {preset}
workload:
  num_requests: {requests}
  arrival: {{closed_loop: {{users: {batch}}}}}
  lengths: {{independent: {{input: {{fixed: 200}}, output: {{fixed: 600}}}}}}
"""

    def test_ml_energy(self):
        table = Table("ML.ENERGY, H100, vLLM 0.11.1, chats: median time between tokens (ms), error in %",
                      ["model", "GPUs", "batch", "measured", "simulated", "error", "goal"])
        with open(DATA_DIR / "ml_energy/configurations.csv", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file)
                    if row["gpu"] == "H100" and row["task"] == "lm-arena-chat"
                    and row["model"] in self.MODELS and row["weights"] == "bfloat16"
                    and row["data_parallel_size"] in ("", "1")]
        rows.sort(key=lambda row: (row["model"], int(row["num_gpus"]), int(row["max_num_seqs"])))
        for row in rows:
            batch = int(row["max_num_seqs"])
            if batch > 128:
                continue
            spec = self.dir / "spec.yaml"
            spec.write_text(self.SPEC.format(
                model=self.MODELS[row["model"]], tensor=row["num_gpus"], batch=batch,
                depth=2 if row["async_scheduling"] == "true" else 1, requests=batch * 4,
                preset=MLENERGY_PRESET), encoding="utf-8")
            report = json.loads(tokensim("run", "-q", spec, "--local", "-o", "json"))
            simulated = 1e3 * report["tpot_seconds"]["p50"]
            measured = float(row["median_itl_ms"])
            error = 100 * (simulated / measured - 1)
            goal = verdict({"ITL": 10}, {"ITL": error}) if batch <= 32 else ""
            table.add(row["model"], row["num_gpus"], batch, f"{measured:.1f}", f"{simulated:.1f}",
                      f"{error:+.1f}", goal)
        table.end("Prompts of 200 tokens and answers of 600 are an assumption: the source has no inputs.")


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
                      ["run", "rate", "TTFT", "TPOT", "E2E", "throughput", "measured", "simulated",
                       "goal"])
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
        goal = ""
        if not stage["overloaded"]:
            figures = [text(stage, metric) for metric in ("ttft", "tpot", "e2e")]
            figures.append(f"{errors(stage, 'throughput')['requests_per_second']:+.1f}")
            found = {"TPOT": errors(stage, "tpot")["mean"], "E2E": errors(stage, "e2e")["mean"],
                     "TTFT mean": errors(stage, "ttft")["mean"],
                     "TTFT p50": errors(stage, "ttft")["p50"]}
            goals = {"TPOT": 4, "E2E": 4, "TTFT mean": 8, "TTFT p50": 8}
            if stage["name"] == "stage0":
                del goals["TTFT mean"]  # carries the start of the server
            goal = verdict(goals, found)
            for metric, values in absolute.items():
                values.append(abs(errors(stage, metric)["mean"]))
            loose = any(model in name and kind in name and stage["name"].startswith(which)
                        for model, kind, which in H100_LOOSE_STAGES)
            self.check(f"{name} {stage['name']}", stage,
                       H100_LOOSE if loose else H100_TOLERANCE)
        table.add(name, f"{saturation['offered_requests_per_second']:g}/s", *figures, *states,
                  goal)
        with self.subTest(run=name, stage=stage["name"]):
            self.assertEqual(saturation["simulated"], saturation["measured"], "saturation")


if __name__ == "__main__":
    unittest.main()
