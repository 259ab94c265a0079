"""How specs are written: dicts, files, builders; units, short forms, mistakes."""

import copy
import json
import pickle
import unittest

import support
from support import EXAMPLES

import tokensim
from tokensim import quantity, spec, specs

MINIMAL = {"model": "llama2-7b", "workers": [{"hardware": "a100-80g"}],
           "workload": {"num_requests": 10, "arrival": {"burst": {}}, "lengths": "sharegpt"}}


class Quantities(unittest.TestCase):
    def test_units_follow_the_name_of_the_field(self):
        for text, field, value in [("80GiB", "memory_bytes", 80 * 2**30), ("6.6us", "kernel_launch_seconds", 6.6e-6),
                                   ("312TFLOPS", "peak_flops", 312e12), ("2.039TB/s", "x_bytes_per_second", 2.039e12),
                                   ("2min", "ttft_seconds", 120), ("1e3", "rate_per_second", 1000),
                                   (".5", "share", 0.5), ("+7", "x", 7), ("\u00b5s", None, None)]:
            if field is not None:
                self.assertEqual(quantity.real(text, field), value, text)
        self.assertEqual(quantity.whole("2e6", "num_requests"), 2_000_000)
        self.assertEqual(quantity.whole("1.5KiB", "memory_bytes"), 1536)
        self.assertEqual(quantity.whole(9_007_199_254_740_993, "seed"), 9_007_199_254_740_993)
        self.assertEqual(quantity.whole("800ns", "time_ns"), 800)

    def test_what_is_no_quantity(self):
        for call, text, field, told in [(quantity.real, "fast", "x_seconds", "expected a number"),
                                        (quantity.real, "5kg", "x_seconds", "units are ns"),
                                        (quantity.real, "5s", "rate_per_second", "without a unit"),
                                        (quantity.whole, "1.5", "num_requests", "whole number")]:
            with self.assertRaisesRegex(ValueError, told):
                call(text, field)


class Reading(unittest.TestCase):
    def test_short_forms_and_enums(self):
        message = specs.to_message({**MINIMAL, "workers": [{"hardware": "a100-80g", "role": "prefill"}],
                                    "model": {"preset": "llama2-7b", "weight_dtype": "FP8"}})
        self.assertEqual(message.model.preset, "llama2-7b")
        self.assertEqual(message.workers[0].hardware.preset, "a100-80g")
        self.assertEqual(message.workers[0].role, 2)
        self.assertEqual(message.model.weight_dtype, 4)
        self.assertTrue(message.workload.arrival.HasField("burst"))

    def test_every_mistake_is_told(self):
        with self.assertRaises(tokensim.SpecInvalid) as caught:
            specs.to_message({"wrkload": {}, "workers": [{"count": "two"}], "slo": {"ttft_seconds": "5kg"},
                              "workload": {"arrival": {"poisson": {}, "burst": {}}}, "model": [1]})
        self.assertEqual([v.field for v in caught.exception.violations],
                         ["", "workers[0].count", "slo.ttft_seconds", "workload.arrival.poisson", "model"])
        self.assertIn("did you mean workload?", str(caught.exception))

    def test_text_paths_and_what_is_neither(self):
        text = "model: llama2-7b\nslo: {ttft_seconds: 1e-3}\nlocal_scheduler:\n"
        self.assertEqual(specs.load(text), {"model": "llama2-7b", "slo": {"ttft_seconds": "1e-3"},
                                            "local_scheduler": None})
        self.assertEqual(specs.load(support.SHAREGPT)["model"], "llama2-7b")
        with self.assertRaises(tokensim.NotFound):
            specs.load("no/such/file.yaml")
        for bad in ("a: b: c\n:", "- 1\n- 2\n"):
            with self.assertRaises(tokensim.SpecInvalid):
                specs.load(bad)

    def test_every_example_reads(self):
        for path in EXAMPLES.glob("*.yaml"):
            specs.to_message(path)

    def test_files_that_specs_name(self):
        self.assertFalse(specs.names_files(specs.load(support.SHAREGPT)))
        for named in ({"workload": {"trace": {"path": "x.csv"}}}, {"model": {"config": "c.json"}},
                      {"workers": [{"compute": {"profile": {"path": "p"}}}]}, {"calibration": {"path": "c.yaml"}}):
            self.assertTrue(specs.names_files(named), named)

    def test_changes(self):
        changed = tokensim.change({**MINIMAL, "workers": [{"name": "gpu", "hardware": "a100-80g"}]},
                                  {"workers.gpu.count": 4, "workers[0].hardware.memory_bytes": "40GiB",
                                   "slo.ttft_seconds": "1s", "seed": 3})
        self.assertEqual(changed["workers"], [{"name": "gpu", "count": 4,
                                               "hardware": {"preset": "a100-80g", "memory_bytes": "40GiB"}}])
        self.assertEqual((changed["slo"], changed["seed"]), ({"ttft_seconds": "1s"}, 3))
        self.assertNotIn("seed", MINIMAL)
        for path in ("workers.cpu.count", "workers[7].count", "workload.num_requests.x"):
            with self.assertRaises(tokensim.UsageError):
                tokensim.change(MINIMAL, {path: 1})


class Builders(unittest.TestCase):
    def test_a_spec_of_objects_is_the_dict(self):
        built = spec.Spec(model="llama2-7b", workers=[spec.WorkerGroup(hardware=spec.Hardware("a100-80g"))],
                          workload=spec.Workload(num_requests=10, arrival=spec.Arrival(burst={}), lengths="sharegpt"))
        self.assertEqual(specs.to_message(built), specs.to_message(MINIMAL))
        self.assertEqual(json.loads(json.dumps(built))["model"], "llama2-7b")
        built.workers[0].count = 3
        self.assertEqual(built.workers[0].count, 3)
        self.assertIsNone(built.slo)
        for copied in (copy.deepcopy(built), pickle.loads(pickle.dumps(built))):
            self.assertEqual((copied, type(copied)), (built, spec.Spec))

    def test_mistakes_are_told_at_once(self):
        for make, told in [(lambda: spec.WorkerGroup(cuont=3), "did you mean count?"),
                           (lambda: spec.Slo(ttft_seconds="5kg"), "unknown unit 'kg'"),
                           (lambda: spec.WorkerGroup(role="prefil"), "none of both, prefill, decode"),
                           (lambda: spec.Spec(workers={"hardware": "h100"}), "expected a list")]:
            with self.assertRaisesRegex(tokensim.SpecInvalid, told):
                make()
        with self.assertRaises(AttributeError):
            spec.Slo().ttft

    def test_help(self):
        self.assertIn("memory_bytes: int", spec.Hardware.__doc__)
        self.assertIn("'both' | 'prefill' | 'decode'", spec.WorkerGroup.__doc__)


if __name__ == "__main__":
    unittest.main()
