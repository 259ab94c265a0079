"""`tokensim accuracy` and `tokensim calibrate`: a simulated run stands for a measured one."""

import csv
import json
import unittest

from harness import TestCase

SPEC = """\
name: host
model: llama2-7b
workers:
  - hardware: a100-80g
local_scheduler: {max_num_seqs: 64}
"""
WORKLOAD = """\
workload:
  num_requests: 2000
  arrival: {poisson: {rate_per_second: 6}}
  lengths:
    independent:
      input: {lognormal: {median: 300, sigma: 0.9, max: 3000}}
      output: {uniform: {min: 1, max: 200}}
"""
CALIBRATION = "calibration: {iteration_seconds: 1.5ms, prefill_dense_factor: 1.2}\n"


def stages(failures=0):
    """Two stages of 40 and 100 requests with the figures of some system."""
    def latency(mean):
        return {"mean": mean, "median": mean, "p90": mean, "max": 2 * mean}

    def stage(rate):
        return {"count": 40, "failures": failures, "ttft_ms": latency(30), "e2e_ms": latency(1000),
                "derived_tpot_mean_ms": 10, "throughput": {"requests_per_sec": rate},
                "prompt_len": {"min": 300, "median": 320, "max": 360}}

    return {"tp": 1, "server": {"max_num_seqs": 128},
            "workload": {"stages": [{"rate": 4, "duration": 10}, {"rate": 5, "duration": 20}],
                         "resolved_by_loadgen": {"num_groups": 2, "num_prompts_per_group": 3,
                                                 "system_prompt_len": 100, "output_len": 50}},
            "results": {"stage_0": stage(3.9), "stage_1": stage(4.9)}}


class AccuracyTest(TestCase):
    def setUp(self):
        super().setUp()
        self.spec = self.write("spec.yaml", SPEC)
        self.host = self.write("host.yaml", SPEC + CALIBRATION + WORKLOAD)
        self.run_cli("run", self.host, "--local", "-q", "-o", "json", "--requests", "truth.csv")

    def accuracy(self, *args, truth="truth.csv", spec=None, **kwargs):
        return self.run_cli("accuracy", "--spec", spec or self.spec, "--truth", truth, *args,
                            **kwargs)

    def figures(self, *args, **kwargs):
        return json.loads(self.accuracy("-o", "json", *args, **kwargs).stdout)

    def test_the_same_system_has_no_errors(self):
        result = self.figures(spec=self.host)
        self.assertEqual(result["truth"], "truth.csv")
        self.assertGreater(result["replay_wall_seconds"], 0)
        run = result["comparisons"][0]
        self.assertEqual((run["requests"], run["not_simulated"]), (2000, 0))
        self.assertEqual(list(run["metrics"]), ["throughput", "ttft", "ttft_queued", "tpot", "e2e",
                                                "e2e_queued"])
        for metric, figures in run["metrics"].items():
            for statistic, figure in figures.items():
                error = figure["error"] if isinstance(figure, dict) else figure
                self.assertAlmostEqual(error, 0, 9, f"{metric}.{statistic}")

    def test_a_result_of_vllm_bench_is_a_truth(self):
        bench = self.run_cli("run", self.host, "--local", "-q", "-o", "vllm-bench").stdout
        run = json.loads(bench)
        self.assertEqual((run["completed"], len(run["ttfts"])), (2000, 2000))
        self.write("bench.json", bench)
        found = self.figures(truth="bench.json", spec=self.host)["comparisons"][0]
        self.assertEqual((found["requests"], found["not_simulated"]), (2000, 0))
        self.assertAlmostEqual(found["metrics"]["ttft"]["p99"]["error"], 0, 6)
        # A failed request is left out, and that is said.
        run["output_lens"][7] = 0
        self.write("failed.json", json.dumps(run))
        done = self.accuracy(truth="failed.json", spec=self.host)
        self.assertIn("1 measured requests failed and are left out", done.stderr)
        self.write("short.json", json.dumps({"duration": 1, "request_throughput": 2}))
        self.assertIn("--save-detailed", self.accuracy(truth="short.json", code=2).stderr)

    def test_a_result_of_guidellm_is_a_truth(self):
        self.write("guide.json",
                   self.run_cli("run", self.host, "--local", "-q", "-o", "guidellm").stdout)
        found = self.figures(truth="guide.json", spec=self.host)["comparisons"][0]
        self.assertEqual((found["requests"], found["not_simulated"]), (2000, 0))
        self.assertAlmostEqual(found["metrics"]["ttft"]["p99"]["error"], 0, 6)
        self.assertAlmostEqual(found["metrics"]["e2e"]["p99"]["error"], 0, 6)

    def test_another_system_has_errors_with_their_sign(self):
        run = self.figures()["comparisons"][0]["metrics"]
        mean = run["tpot"]["mean"]
        self.assertLess(mean["error"], -0.05)  # without the host's overheads
        self.assertAlmostEqual(mean["error"], mean["simulated"] / mean["measured"] - 1, 12)
        self.assertGreater(run["tpot"]["mape"], 0.05)

    def test_table(self):
        table = self.accuracy().stdout
        self.assertIn("2,000 requests compared", table)
        self.assertRegex(table, r"TTFT +-\d")

    def test_requests_side_by_side(self):
        self.accuracy("--requests", "side.csv", spec=self.host)
        rows = list(csv.DictReader(self.read("side.csv").splitlines()))
        self.assertEqual(len(rows), 2000)
        for row in rows:
            for stamp in ("queued", "scheduled", "first_token", "last_token"):
                self.assertAlmostEqual(float(row[f"simulated_{stamp}_s"]),
                                       float(row[f"measured_{stamp}_s"]), 8)

    def test_assertions(self):
        done = self.accuracy("--assert", "ttft.mape <= 1%", "--assert", "tpot.p99 <= 0.1%",
                             spec=self.host)
        self.assertIn("holds:  tpot.p99 <= 0.1%", done.stderr)
        done = self.accuracy("--assert", "tpot.mean <= 1%", code=4)
        self.assertIn("MISSED: tpot.mean <= 1%", done.stderr)
        done = self.accuracy("--assert", "tpto.mean <= 1%", code=2)
        self.assertIn("nearest: tpot.mean", done.stderr)

    def test_a_client_with_places_is_replayed_as_one(self):
        places = ("--set", "workload.max_in_flight=4")
        self.run_cli("run", self.host, "--local", "-q", "-o", "json", "--requests", "held.csv",
                     *places, "--set", "workload.arrival.poisson.rate_per_second=40")
        done = self.accuracy(truth="held.csv", spec=self.host)
        self.assertIn("has 4 requests in flight for", done.stderr)
        self.assertIn("--max-in-flight 4", done.stderr)
        # The times at which they were sent are those of the same server: nothing is off, and a
        # client with places, who sends at once when one is free, sends no later.
        run = self.figures("--max-in-flight", "4", truth="held.csv", spec=self.host)
        run = run["comparisons"][0]["metrics"]
        self.assertAlmostEqual(run["throughput"]["requests_per_second"]["error"], 0, 6)
        self.assertAlmostEqual(run["e2e"]["mean"]["error"], 0, 6)
        # Fewer places than there were: requests wait at the client, and overlap less.
        fewer = self.figures("--max-in-flight", "2", truth="held.csv", spec=self.host)
        fewer = fewer["comparisons"][0]["metrics"]
        self.assertLess(fewer["throughput"]["requests_per_second"]["error"], -0.1)

    def test_a_repetition_gives_the_noise(self):
        result = self.figures("--repeat", "truth.csv")
        self.assertEqual(result["noise"]["name"], "truth.csv")
        self.assertEqual(result["noise"]["metrics"]["ttft"]["mape"], 0)
        self.assertIn("Noise: truth.csv", self.accuracy("--repeat", "truth.csv").stdout)
        shorter = self.write("short.csv", "\n".join(self.read("truth.csv").splitlines()[:9]))
        self.assertIn("not the same schedule", self.accuracy("--repeat", shorter, code=2).stderr)

    def test_what_is_wrong_is_said(self):
        self.assertIn("nothere.csv", self.accuracy(truth="nothere.csv", code=2).stderr)
        bad = self.write("bad.csv", "arrival_s,first_token_s,last_token_s,input_toks,output_toks\n"
                                    "0,1,2,3,x\n")
        self.assertIn("bad.csv:2: output_toks", self.accuracy(truth=bad, code=2).stderr)
        self.accuracy("--set", "workers[0].hardware=nothing", code=3)
        self.assertIn("--workload-out", self.accuracy("--workload-out", "x.csv", code=2).stderr)

    def test_stages(self):
        truth = self.write("stages.json", json.dumps(stages()))
        result = self.figures("--workload-out", "sent.csv", truth=truth)
        self.assertEqual([c["name"] for c in result["comparisons"]], ["stage0", "stage1"])
        self.assertEqual([c["requests"] for c in result["comparisons"]], [40, 100])
        self.assertEqual(result["comparisons"][0]["saturation"],
                         {"offered_requests_per_second": 4.0, "measured": False,
                          "simulated": False})
        sent = list(csv.DictReader(self.read("sent.csv").splitlines()))
        self.assertEqual(len(sent), 140)
        self.assertEqual(len({row["prompt_block16_ids"] for row in sent}), 6)
        done = self.accuracy("--assert", "stage1.tpot.mean <= 500%", "--assert",
                             "saturation.wrong == 0", truth=truth)
        self.assertIn("was measured with max_num_seqs 128, the spec has 64", done.stderr)
        self.assertIn("--requests", self.accuracy("--requests", "x.csv", truth=truth, code=2).stderr)

    def test_overloaded_stages_only_tell_of_saturation(self):
        truth = self.write("stages.json", json.dumps(stages(failures=3)))
        self.assertTrue(all(c["overloaded"] for c in self.figures(truth=truth)["comparisons"]))
        table = self.accuracy(truth=truth).stdout
        self.assertIn("Clients gave up", table)
        self.assertNotIn("Error", table)
        self.run_cli("calibrate", "--spec", self.spec, "--truth", truth, code=1)


class CalibrateTest(TestCase):
    def setUp(self):
        super().setUp()
        self.spec = self.write("spec.yaml", SPEC)
        host = self.write("host.yaml", SPEC + CALIBRATION + WORKLOAD)
        self.run_cli("run", host, "--local", "-q", "-o", "json", "--requests", "truth.csv")

    def test_recovers_the_host_and_writes_it_for_specs(self):
        done = self.run_cli("calibrate", "--spec", self.spec, "--truth", "truth.csv", "-o",
                            "fitted.yaml")
        self.assertIn("iteration_seconds", done.stdout)
        self.assertIn("fitted to truth.csv", self.read("fitted.yaml"))
        fitted = self.write("fitted-spec.yaml", SPEC + "calibration: {path: fitted.yaml}\n")
        result = json.loads(self.run_cli("accuracy", "--spec", fitted, "--truth", "truth.csv", "-o",
                                         "json").stdout)
        for metric in ("ttft", "tpot", "e2e"):
            error = result["comparisons"][0]["metrics"][metric]["mean"]["error"]
            self.assertLess(abs(error), 0.02, metric)

    def test_yaml_on_stdout_when_no_file_is_named(self):
        done = self.run_cli("calibrate", "--spec", self.spec, "--truth", "truth.csv", "--truth",
                            "truth.csv", "--fit", "iteration_seconds,sequence_seconds")
        self.assertIn("iteration_seconds:", done.stdout)
        self.assertIn("sequence_seconds:", done.stdout)
        self.assertIn("evaluations", done.stderr)

    def test_usage(self):
        done = self.run_cli("calibrate", "--spec", self.spec, "--truth", "truth.csv", "--fit",
                            "iteration_second", code=2)
        self.assertIn("nearest: iteration_seconds", done.stderr)
        self.run_cli("calibrate", "--spec", self.spec, "--spec", self.spec, "--truth", "truth.csv",
                     code=2)
        self.assertIn("prefill_dense_factor", self.run_cli("calibrate", "--help").stdout)


if __name__ == "__main__":
    unittest.main()
