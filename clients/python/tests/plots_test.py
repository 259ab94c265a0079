"""Every picture can be drawn, as SVG and PNG, light and dark; the same again gives the same bytes."""

import pathlib
import sys
import tempfile
import unittest

import support
from support import EXAMPLES, SHAREGPT

import tokensim
from tokensim import local, plots

SWEEP = tokensim.Table({"rate": [1, 2, 4, 1, 2, 4], "gpus": [1, 1, 1, 2, 2, 2], "p99": [.1, .2, 2, .1, .15, None]})


class Plots(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            import matplotlib  # noqa: F401
        except ImportError:
            raise unittest.SkipTest("matplotlib is not installed") from None
        cls.one = local.run(SHAREGPT, {"workload.num_requests": 200})
        cls.many = local.run(EXAMPLES / "disaggregated.yaml", {"workload.num_requests": 200})

    def pictures(self, dark):
        return {"cdf": plots.cdf({"a": self.one, "b": self.many}, dark=dark),
                "lines": plots.lines(SWEEP, "rate", "p99", "gpus", limit=1, logy=True, dark=dark),
                "kv": plots.kv_over_time(self.many, dark=dark),
                "timeline": plots.timeline(self.many, dark=dark),
                "pareto": plots.pareto(SWEEP, "rate", "p99", maximize=["rate"], label="gpus", dark=dark)}

    def test_pictures(self):
        with tempfile.TemporaryDirectory() as folder:
            for dark in (False, True):
                for name, picture in self.pictures(dark).items():
                    for axes in picture.axes:
                        self.assertTrue(axes.get_ylabel() or axes.get_xlabel() or axes.get_label(), name)
                    for ending in ("svg", "png"):
                        file = pathlib.Path(folder, f"{name}.{ending}")
                        plots.save(picture, file)
                        self.assertGreater(file.stat().st_size, 3000, file)
            first = pathlib.Path(folder, "lines.svg").read_bytes()
            plots.save(self.pictures(True)["lines"], pathlib.Path(folder, "lines.svg"))
            self.assertEqual(pathlib.Path(folder, "lines.svg").read_bytes(), first)

    def test_the_front(self):

        table = tokensim.Table({"cost": [1, 2, 3, 4], "rate": [5, 4, 9, 9]})
        self.assertEqual(plots.front(table, "cost", "rate", maximize=["rate"]), [0, 2])
        self.assertEqual(plots.front(table, "cost", "rate"), [0, 1])


class WithoutMatplotlib(unittest.TestCase):
    def test_it_says_what_to_install(self):
        hidden = {name: module for name, module in sys.modules.items() if name.split(".")[0] == "matplotlib"}
        for name in hidden:
            del sys.modules[name]
        sys.modules["matplotlib"] = None
        try:
            with self.assertRaisesRegex(tokensim.NotFound, "python3-matplotlib"):
                plots.lines(SWEEP, "rate", "p99")
        finally:
            del sys.modules["matplotlib"]
            sys.modules.update(hidden)


if __name__ == "__main__":
    unittest.main()
