"""The experiments of the paper in quick mode: every finding, table and picture."""

import csv
import pathlib
import subprocess
import tempfile
import unittest

import support

import tokensim
from tokensim import binary, experiments
from tokensim.experiments import figures

COMMAND = support.PACKAGE / "bin/tokensim-experiments"


class Experiments(unittest.TestCase):
    def test_every_finding_quickly(self):
        try:
            import matplotlib  # noqa: F401
        except ImportError:
            self.skipTest("matplotlib is not installed")
        if subprocess.run([binary.path(), "sweep", "--help"], capture_output=True, check=False).returncode:
            self.skipTest("this build of tokensim has no searches")
        with tempfile.TemporaryDirectory(prefix="tokensim-experiments-") as folder:
            done = subprocess.run([COMMAND, "run", "--all", "--quick", "--out", folder], capture_output=True, text=True,
                                  check=False)
            print(done.stdout)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertNotIn("FAIL", done.stdout)
            self.assertGreater(done.stdout.count("PASS"), 25)
            for name in experiments.NAMES:
                with open(pathlib.Path(folder, f"{name}.csv"), encoding="utf-8") as file:
                    self.assertGreater(len(list(csv.reader(file))), 2, name)
            pictures = {path.stem for path in pathlib.Path(folder).glob("*.svg")}
            self.assertLessEqual({"table2", "fig04", "fig05", "fig06", "fig07", "fig08", "fig09", "fig10", "fig11",
                                  "fig12", "fig13-carried", "fig13-literal", "fig14", "fig15"}, pictures)

    def test_every_file_has_its_page_of_the_paper(self):
        for name in experiments.NAMES:
            experiment = experiments.load(name)
            self.assertTrue(experiment.title and experiment.claim, name)
            tokensim.specs.to_message(experiment.spec)

    def test_misuse(self):
        for arguments, told in [(["run"], "--all"), (["run", "fig99"], "no experiment 'fig99'"), ([], "required")]:
            done = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 2)
            self.assertIn(told, done.stderr)
        done = subprocess.run([COMMAND, "list"], capture_output=True, text=True, check=True)
        self.assertEqual(len(done.stdout.splitlines()), len(experiments.NAMES))
        with self.assertRaises(tokensim.NotFound):
            experiments.load("fig99")


class Statistics(unittest.TestCase):
    def test_intervals(self):
        self.assertEqual(figures.mean_and_half([3.0]), (3.0, 0.0))
        mean, half = figures.mean_and_half([1.0, 2.0, 3.0])
        self.assertEqual(mean, 2)
        self.assertAlmostEqual(half, 4.303 / 3**0.5, places=6)

    def test_where_a_limit_is_crossed(self):
        self.assertAlmostEqual(figures.crossing([1, 2, 4], [1, 1, 4], 2), 2 * 2**0.5)
        self.assertEqual(figures.crossing([1, 2, 4], [1, 1, 1], 2), 4)


if __name__ == "__main__":
    unittest.main()
