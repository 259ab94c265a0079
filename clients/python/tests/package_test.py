"""The package as pip installs it, without a network."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

from support import PACKAGE, ROOT

USE = """
import tokensim, pathlib
assert pathlib.Path(tokensim.__file__).is_relative_to({target!r}), tokensim.__file__
result = tokensim.local.run({spec!r})
assert result["requests.finished"] == 2000
from tokensim import experiments
assert len([experiments.load(name) for name in experiments.NAMES]) == 12
"""


class Installation(unittest.TestCase):
    def test_pip_install(self):
        if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode:
            self.skipTest("pip is not installed")
        with tempfile.TemporaryDirectory(prefix="tokensim-pip-") as folder:
            # A copy, since setuptools leaves its files in the tree that it builds.
            tree = pathlib.Path(folder, "tree")
            shutil.copytree(PACKAGE, tree / "clients/python",
                            ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
            (tree / "proto").mkdir()
            shutil.copytree(ROOT / "configs/experiments", tree / "configs/experiments")
            shutil.copy(ROOT / "proto/tokensim_v1.descriptor.pb", tree / "proto")
            target = f"{folder}/site"
            done = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps",
                                   "--no-build-isolation", "--target", target, str(tree / "clients/python")],
                                  capture_output=True, text=True, check=False, cwd=folder)
            self.assertEqual(done.returncode, 0, done.stderr)
            shutil.rmtree(tree)
            self.assertIn("tokensim-experiments", os.listdir(pathlib.Path(target, "bin")))
            spec = str(ROOT / "configs/examples/llama2-7b-a100-sharegpt.yaml")
            done = subprocess.run([sys.executable, "-c", USE.format(target=target, spec=spec)], cwd=folder, text=True,
                                  env={**os.environ, "PYTHONPATH": target}, capture_output=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
