"""Simulations by the command, without a server."""

import concurrent.futures
import json
import os
import pathlib
import pickle
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import support
from support import SHAREGPT, SMALL

import tokensim
from tokensim import binary, local

TRACE = "arrival_s,input_tokens,output_tokens\n0.0,100,10\n0.5,200,20\n"


def run_in_other_process(seed):
    return local.run(SMALL, seed=seed)


class Runs(unittest.TestCase):
    def test_the_report_of_the_command(self):
        result = local.run(SHAREGPT)
        told = json.loads(binary.call("run", str(SHAREGPT), "--local", "-o", "json").stdout)
        self.assertEqual(result["ttft.p99"], told["ttft_seconds"]["p99"])
        self.assertEqual(result["ttft_seconds.p99"], result["ttft.p99"])
        self.assertEqual(result["goodput"], told["slo"]["goodput_requests_per_second"])
        self.assertEqual(result["requests.finished"], 2000)
        self.assertEqual(result.report.workers[0].iterations, int(told["workers"][0]["iterations"]))
        self.assertEqual(list(result.report.workers[0].timeline.busy), told["workers"][0]["timeline"]["busy"])
        self.assertFalse(result.saturated)
        self.assertIn("2000 of 2000 requests", repr(result))
        self.assertEqual(json.loads(result.to_json())["requests"], told["requests"])
        with self.assertRaises(KeyError):
            result["ttft.p98"]

    def test_metrics_are_those_of_the_command(self):
        rows = binary.call("run", str(SHAREGPT), "--local", "-o", "csv").stdout.splitlines()[1:]
        ours = local.run(SHAREGPT).metrics
        for row in rows:
            metric, statistic, value = row.split(",")
            name = f"{metric}.{statistic}" if statistic else metric
            if metric == "kv_transfer_seconds" or metric == "transfers" or name not in ours:
                continue
            self.assertEqual(ours[name], float(value) if value else None, name)
        self.assertGreater(len(ours), 90)

    def test_every_spelling_of_a_spec(self):
        expected = local.run(SHAREGPT)["e2e.mean"]
        text = SHAREGPT.read_text()
        for spec in (str(SHAREGPT), text, tokensim.specs.load(text), tokensim.spec.Spec(tokensim.specs.load(text)),
                     tokensim.specs.to_message(text)):
            self.assertEqual(local.run(spec)["e2e.mean"], expected)

    def test_changes_and_seeds(self):
        two = local.run(SHAREGPT, {"workers[0].count": "x2", "slo": {"ttft_seconds": 1, "tpot_seconds": "50ms"}})
        self.assertEqual(len(two.report.workers), 2)
        self.assertNotEqual(local.run(SMALL, seed=1)["e2e.mean"], local.run(SMALL, seed=2)["e2e.mean"])

    def test_requests_iterations_and_events(self):
        result = local.run(SMALL)
        requests = result.requests()
        self.assertEqual(len(requests), 300)
        self.assertEqual(requests["request_id"], list(range(300)))
        finished = [row for row in requests if row["reject_reason"] is None]
        self.assertEqual(len(finished), result["requests.finished"])
        self.assertAlmostEqual(sum(r["ttft_s"] for r in finished) / len(finished), result["ttft.mean"], places=9)
        iterations = result.iterations()
        self.assertEqual(len(iterations), sum(w.iterations for w in result.report.workers))
        self.assertEqual(sum(iterations["decode_tokens"]), sum(w.decode_tokens for w in result.report.workers))
        events = list(result.events())
        self.assertEqual([e.sequence for e in events], list(range(1, len(events) + 1)))
        self.assertEqual({e.WhichOneof("body") for e in result.events("first_token")}, {"first_token"})

    def test_tables_of_a_report(self):
        result = local.run(SMALL)
        self.assertEqual([w["name"] for w in result.workers()], ["gpu/0", "gpu/1"])
        line = result.timeline().where(worker="gpu/1")
        self.assertEqual(len(line), len(result.report.workers[1].timeline.running))
        self.assertEqual(result.summary()["metric"][0], "ttft")

    def test_frames(self):
        try:
            import pandas
        except ImportError:
            self.skipTest("pandas is not installed")
        frame = local.run(SMALL).requests().frame()
        self.assertIsInstance(frame, pandas.DataFrame)
        self.assertAlmostEqual(frame["ttft_s"].quantile(0.99), local.run(SMALL)["ttft.p99"], places=9)
        self.assertEqual(frame["reject_reason"].notna().sum(), local.run(SMALL)["requests.rejected"])

    def test_a_trace_is_found_beside_the_spec(self):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "trace.csv").write_text(TRACE)
            spec = {"model": "llama2-7b", "workers": [{"hardware": "a100-80g"}],
                    "workload": {"trace": {"path": "trace.csv"}}}
            self.assertEqual(local.run(spec, cwd=folder)["requests.finished"], 2)
            estimate = local.validate(spec, cwd=folder)
            self.assertEqual(list(estimate.resolved_spec.workload.trace.rows.output_tokens), [10, 20])

    def test_errors(self):
        with self.assertRaises(tokensim.SpecInvalid) as caught:
            local.run({"model": "llama2-7", "workers": [{"hardware": "a100-80g", "count": 0}]})
        self.assertIn("workers[0].count", [v.field for v in caught.exception.violations])
        self.assertEqual(pickle.loads(pickle.dumps(caught.exception)).violations, caught.exception.violations)
        with self.assertRaises(tokensim.NotFound):
            local.run("no-such-file.yaml")
        with self.assertRaisesRegex(tokensim.UsageError, "did you mean"):
            local.run(SHAREGPT, {"workers[0].cuont": 1})
        with self.assertRaisesRegex(tokensim.RunFailed, "longer than"):
            local.run(support.LONG, timeout=0.2)
        with self.assertRaises(tokensim.AssertionMissed) as missed:
            local.run(SHAREGPT, asserts=["ttft.p99 <= 1ms", "tpot.p99 <= 1min"])
        self.assertEqual(len(missed.exception.result.missed), 1)
        self.assertEqual(missed.exception.result["requests.finished"], 2000)

    def test_the_command_is_looked_for(self):
        with tempfile.TemporaryDirectory() as empty:
            with mock.patch.dict(os.environ, {"TOKENSIM_BIN_DIR": empty}):
                with self.assertRaisesRegex(tokensim.NotFound, "has no tokensim"):
                    binary.path()

    def test_many_runs_in_any_executor(self):
        points = [(SMALL, {"seed": seed}) for seed in range(4)]
        expected = [local.run(*point)["e2e.mean"] for point in points]
        self.assertEqual([r["e2e.mean"] for r in local.run_many(points)], expected)
        with concurrent.futures.ProcessPoolExecutor(2) as processes:
            results = local.run_many(points, processes)
        self.assertEqual([r["e2e.mean"] for r in results], expected)
        self.assertEqual(len(results[0].requests()), 300)

    def test_many_runs_with_dask(self):
        try:
            import distributed
        except ImportError:
            self.skipTest("python3-distributed is not installed")
        points = [(SMALL, {"seed": seed}) for seed in range(4)]
        with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
            with distributed.Client(cluster) as client:
                results = local.run_many(points, client.get_executor())
        self.assertEqual([r.metrics for r in results], [r.metrics for r in local.run_many(points)])

    def test_the_catalog(self):
        self.assertIn("llama2-7b", [model.preset for model in local.catalog().models])

    def test_nothing_heavy_is_imported(self):
        code = ("import sys, tokensim; assert not {'grpc', 'pandas', 'numpy', 'matplotlib'} & set(sys.modules), "
                "sorted(sys.modules)")
        subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(support.PACKAGE)})


if __name__ == "__main__":
    unittest.main()
