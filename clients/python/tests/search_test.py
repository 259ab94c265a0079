"""Sweeps, capacities and the best deployment, by the command."""

import subprocess
import unittest

import support  # noqa: F401  (finds the package)

import tokensim
from tokensim import binary, local

# A server of one request at a time, 10 ms each: it does 100 in a second.
SERVER = """\
model: llama2-7b
workers:
  - {name: gpu, hardware: h100, compute: {affine: {iteration_seconds: 10ms}}}
local_scheduler: {max_num_seqs: 1}
workload:
  num_requests: 200
  arrival: {constant: {rate_per_second: 20}}
  lengths: {independent: {input: {fixed: 10}, output: {fixed: 1}}}
slo: {ttft_seconds: 100ms}
"""
RATE = "workload.arrival.constant.rate_per_second"


class Search(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if subprocess.run([binary.path(), "sweep", "--help"], capture_output=True, check=False).returncode:
            raise unittest.SkipTest("this build of tokensim has no searches")

    def test_sweep(self):
        table = local.sweep(SERVER, {RATE: [10, "x2"], "workers.gpu.count": "1..2"},
                            metrics=["throughput.requests_per_second", "ttft.p50"])
        self.assertEqual(list(zip(table[RATE], table["workers.gpu.count"])), [(10, 1), (10, 2), ("x2", 1), ("x2", 2)])
        for rate, found in zip((10, 10, 40, 40), table["throughput.requests_per_second"]):
            self.assertAlmostEqual(found, rate, delta=0.2)

    def test_sweep_of_variants_and_conditions(self):
        sizes = {"size": {"small": {"workers.gpu.count": 1},
                          "large": {"workers.gpu.count": 4, "local_scheduler.max_num_seqs": 2}}}
        table = local.sweep(SERVER, ["seed=7,8"], variants=sizes, where=["not (size == 'small' and seed == 8)"],
                            metrics=["ttft.p50"])
        self.assertEqual(sorted(zip(table["size"], table["seed"])), [("large", 7), ("large", 8), ("small", 7)])

    def test_a_point_with_an_error_has_a_note(self):
        table = local.sweep(SERVER, {"local_scheduler.max_num_seqs": [-1, 1]}, metrics=["ttft.p50"])
        self.assertIn("max_num_seqs", table["note"][0])
        self.assertIsNone(table["ttft.p50"][0])
        self.assertIsNone(table["note"][1])

    def test_capacity(self):
        [row] = local.capacity(SERVER)
        self.assertLess(abs(row["capacity"] - 100), 1.5)
        self.assertGreater(row["fails_at"], row["capacity"])
        rows = local.capacity(SERVER, vary={"workers.gpu.count": [1, 2]}, hasty=True, duration=20)
        self.assertAlmostEqual(rows["capacity"][1] / rows["capacity"][0], 2, delta=0.06)
        [fewest] = local.capacity(SERVER, knob="workers.gpu.count", smallest=True, start=1,
                                  changes={RATE: 450, "workload.num_requests": 20000})
        self.assertEqual(fewest["capacity"], 5)

    def test_optimize(self):
        rows = local.optimize(SERVER, vary={"workers.gpu.count": "3..8"}, changes={RATE: 450}).rows()
        self.assertEqual((rows[0]["result"], rows[0]["workers.gpu.count"]), ("best", 5))
        self.assertEqual([r["workers.gpu.count"] for r in rows if r["result"] == "fails"], [3, 4])
        none = local.optimize(SERVER, vary={"workers.gpu.count": "1..2"}, changes={RATE: 450})
        self.assertEqual(set(none["result"]), {"fails"})

    def test_misuse(self):
        for call, told in [(lambda: local.sweep(SERVER, {RATE: "1..2:x1"}), "factor"),
                           (lambda: local.sweep(SERVER, "seed=1"), "expected a mapping"),
                           (lambda: local.sweep(SERVER, {"seed": [1]}, metrics=["ttft.p98"]), "ttft.p9"),
                           (lambda: local.capacity(SERVER, knob="workers.gpu.count"), "--start")]:
            with self.assertRaisesRegex(tokensim.UsageError, told):
                call()


if __name__ == "__main__":
    unittest.main()
