"""Bundles on disk: resuming, validation, and the measuring loop with a fake timer."""

import io
import os
import pathlib
import unittest

from support import ROOT, TINY, TINY_GRID, TestCase
from tokensim_profiler.bundle import Bundle, read_meta
from tokensim_profiler.errors import UserError
from tokensim_profiler.measure import Plan, Progress, absent_rows, measure
from tokensim_profiler.validation import check

DATA = pathlib.Path(os.environ.get("TOKENSIM_DATA", ROOT.parent / "shared" / "data")) / "profiles"


def meta(**changes):
    grid = TINY_GRID
    shape = {key: value for key, value in vars(TINY).items() if key != "name"}
    fields = {"gpu": "none", "hardware": "none", "profiled_at": "2026-01-01T00:00:00+00:00",
              "model": "Tiny", "shape": shape, "variant": "fp32",
              "engine_effective": {"max_num_seqs": grid.max_num_seqs},
              "dense_grid": {"tokens": grid.tokens, "sequences": grid.sequences,
                             "moe_tokens": grid.moe_tokens},
              "attention_grid": {"chunks": grid.chunks, "n_decode": grid.n_decode, "kv": grid.kv}}
    return dict(fields, **changes)


class FakeOperators:
    def call(self, table, key):
        return lambda: (table, key)


class FakeTimer:
    """Fails at the nth measurement when told to: the run is interrupted."""

    def __init__(self, fail_at=None):
        self.measured = []
        self._fail_at = fail_at

    def measure(self, call):
        if len(self.measured) == self._fail_at:
            raise KeyboardInterrupt
        self.measured.append(call())
        return 1.5


class BundleTestCase(TestCase):
    plan = Plan.build(TINY, TINY_GRID)

    def measured(self, tp=1, timer=None, plan=None, **changes):
        bundle = Bundle.open(self.folder / "b", meta(**changes))
        measure(bundle, tp, plan or self.plan, FakeOperators(), timer or FakeTimer(),
                Progress(io.StringIO()))
        return bundle

    def complete(self):
        self.measured().finish(1)
        return self.folder / "b"


class Measuring(BundleTestCase):
    def test_every_row_once(self):
        timer = FakeTimer()
        bundle = self.measured(timer=timer)
        self.assertEqual(len(timer.measured), self.plan.size())
        self.assertEqual(len(set(timer.measured)), self.plan.size())
        self.assertEqual(absent_rows(bundle, 1, self.plan), 0)

    def test_an_interrupted_run_goes_on(self):
        with self.assertRaises(KeyboardInterrupt):
            self.measured(timer=FakeTimer(fail_at=30))
        self.assertNotEqual(check(self.folder / "b"), [])
        with open(self.folder / "b/tp1/dense.csv", "a", encoding="utf-8") as file:
            file.write("o_proj,1,1")  # torn: the machine died while writing
        timer = FakeTimer()
        bundle = self.measured(timer=timer, profiled_at="later")
        self.assertEqual(len(timer.measured), self.plan.size() - 30)
        bundle.finish(1)
        self.assertEqual(check(self.folder / "b"), [])

    def test_another_tp_joins_the_bundle(self):
        self.measured(tp=1).finish(1)
        self.measured(tp=2).finish(2)
        self.assertEqual(read_meta(self.folder / "b")["tp_degrees"], [1, 2])
        self.assertEqual(check(self.folder / "b"), [])

    def test_measured_in_another_way_is_refused(self):
        self.measured()
        with self.assertRaisesRegex(UserError, "variant"):
            Bundle.open(self.folder / "b", meta(variant="bf16"))
        bundle = Bundle.open(self.folder / "b", meta(variant="bf16"), overwrite=True)
        self.assertEqual(absent_rows(bundle, 1, self.plan), self.plan.size())

    def test_some_layers(self):
        plan = self.plan.only(["o_proj", "attention"])
        timer = FakeTimer()
        bundle = self.measured(timer=timer, plan=plan)
        self.assertEqual({table for table, _ in timer.measured}, {"dense", "attention"})
        self.assertEqual(absent_rows(bundle, 1, self.plan), self.plan.size() - plan.size())
        with self.assertRaisesRegex(UserError, "no operator 'moe'"):
            self.plan.only(["moe"])

    def test_the_files_look_like_vllms(self):
        text = (self.complete() / "tp1/per_sequence.csv").read_text(encoding="utf-8")
        self.assertEqual(text, "layer,sequences,time_us\nlm_head,1,1.5\nlm_head,2,1.5\n"
                               "lm_head,4,1.5\nsampler,1,1.5\nsampler,2,1.5\nsampler,4,1.5\n")


class Validation(BundleTestCase):
    def assert_problem(self, table, old, new, message):
        root = self.complete()
        path = root / "tp1" / f"{table}.csv"
        text = path.read_text(encoding="utf-8")
        self.assertIn(old, text)
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        self.assertRegex("\n".join(check(root)), message)
        path.write_text(text, encoding="utf-8")

    def test_what_can_be_wrong(self):
        self.assertEqual(check(self.complete()), [])
        self.assert_problem("attention", "0,0,1,2,1.5\n", "", r"1 of \d+ points .* \(0, 0, 1, 2\)")
        self.assert_problem("attention", "0,0,1,2,1.5\n", "0,0,1,0,1.5\n", "context without")
        self.assert_problem("dense", "o_proj,1,1.5\n", "o_proj,1,-1.5\n", "not positive")
        self.assert_problem("dense", "o_proj,1,1.5\n", "o_proj,1,nan\n", "not positive")
        self.assert_problem("dense", "o_proj,1,1.5\n", "o_proj,1,x\n", "dense.csv:")
        self.assert_problem("dense", "o_proj,1,1.5\n", "o_proj,1\n", "2 columns instead of 3")
        self.assert_problem("dense", "o_proj,2,1.5\n", "o_proj,1,1.5\n", "twice")
        self.assert_problem("dense", "o_proj,1,1.5\no_proj,2,1.5\n", "o_proj,2,1.5\no_proj,1,1.5\n",
                            "must ascend")
        self.assert_problem("dense", "o_proj,1,1.5\n", "", "other sizes")
        self.assert_problem("per_sequence", "time_us", "time_ms", "first line must be")

    def test_a_missing_operator_table_or_key(self):
        root = self.complete()
        path = root / "tp1/dense.csv"
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(line for line in lines if "qkv" not in line), encoding="utf-8")
        self.assertIn("dense.csv has no qkv_proj", "\n".join(check(root)))
        path.unlink()
        self.assertIn("dense.csv is missing", "\n".join(check(root)))
        self.write("b/meta.yaml", "gpu: x\n")
        self.assertIn("meta.yaml: model is missing", check(root))
        self.assertIn("No such file", check(self.folder / "none")[0])

    @unittest.skipUnless(DATA.is_dir(), f"no measured bundles in {DATA}")
    def test_bundles_measured_under_vllm_pass(self):
        roots = [path.parent for path in DATA.rglob("meta.yaml")]
        self.assertTrue(roots)
        for root in roots:
            self.assertEqual(check(root), [], root)


if __name__ == "__main__":
    unittest.main()
