"""Results in the formats of other tools: load generators, CI, Prometheus."""

import json
import shutil
import subprocess
import unittest

from harness import TestCase


class Outputs(TestCase):
    def test_load_generators(self):
        report = json.loads(self.run_cli("run", self.small, "--local", "-q", "-o", "json").stdout)
        finished = int(report["requests"]["finished"])
        bench = json.loads(self.run_cli("run", self.small, "--local", "-q", "-o", "vllm-bench").stdout)
        self.assertEqual(bench["completed"], finished)
        self.assertAlmostEqual(bench["mean_ttft_ms"], 1e3 * report["ttft_seconds"]["mean"], places=6)
        guide = json.loads(self.run_cli("run", self.small, "--local", "-q", "-o", "guidellm").stdout)
        metrics = guide["benchmarks"][0]["metrics"]
        self.assertEqual(metrics["request_totals"]["successful"], finished)
        self.assertAlmostEqual(metrics["time_to_first_token_ms"]["successful"]["mean"],
                               1e3 * report["ttft_seconds"]["mean"], places=6)
        self.assertAlmostEqual(metrics["request_latency"]["successful"]["mean"],
                               report["e2e_seconds"]["mean"], places=9)

    def test_summaries_are_appended(self):
        for _ in range(2):
            self.run_cli("run", self.small, "--local", "-q", "--summary", "summary.md",
                         "--assert", "ttft.p99 <= 1ns", "--assert", "requests.total == 300", code=4)
        text = (self.dir / "summary.md").read_text()
        self.assertEqual(text.count("### small"), 2)
        self.assertEqual(text.count("**missed**"), 2)
        self.assertLess(text.index("**missed**"), text.index("| holds |"))
        done = self.run_cli("run", self.small, "--local", "-q", "--summary", "no/such.md", code=1)
        self.assertIn("no/such.md", done.stderr)

    def test_openmetrics(self):
        text = self.run_cli("run", self.small, "--local", "-q", "-o", "openmetrics").stdout
        self.assertIn('tokensim_ttft_seconds{spec="small",statistic="p99"}', text)
        self.assertTrue(text.endswith("# EOF\n"))
        if shutil.which("promtool"):  # of the package prometheus
            done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                                  capture_output=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
