"""`tokensim-profile` as a user starts it, as far as it goes without PyTorch."""

import os
import subprocess
import sys

import support
from support import TINY_YAML, TestCase


class Command(TestCase):
    def run_cli(self, *arguments, code=0, **environment):
        done = subprocess.run(
            [sys.executable, "-m", "tokensim_profiler", *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": str(support.PACKAGE), **environment},
            cwd=self.folder, capture_output=True, text=True, timeout=100, check=False)
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        self.assertNotIn("Traceback", done.stderr)
        return done

    def test_help_and_version(self):
        self.assertIn("examples:", self.run_cli("--help").stdout)
        self.assertRegex(self.run_cli("--version").stdout, r"^tokensim-profile \d+\.\d+\.\d+\n$")
        for command in ("measure", "serve", "validate", "import-vidur", "import-kernels"):
            self.assertIn("usage: tokensim-profile " + command,
                          self.run_cli(command, "--help").stdout)

    def test_dry_run_counts_rows(self):
        done = self.run_cli("measure", "--model", "qwen3-30b-a3b", "--tp", "1,2", "--dry-run",
                            "--output", "b")
        self.assertIn("attention.csv  8643 rows", done.stdout)
        self.assertIn("moe.csv  50 rows", done.stdout)
        self.assertIn(f"{2 * (7 * 152 + 2 * 40 + 8643 + 50)} rows for tp 1, 2", done.stdout)
        self.assertFalse((self.folder / "b").exists())

    def test_misuse_is_exit_code_2(self):
        tiny = ["--model-config", self.write("tiny.yaml", TINY_YAML), "--output", "b"]
        for arguments, message in [
                (["fly"], "invalid choice"),
                (["measure"], "--output"),
                (["measure", "--model", "llama9", "--output", "b"], "no model 'llama9'"),
                (["measure", "--model", "a.yaml", "--output", "b"], "--model-config a.yaml"),
                (["measure", *tiny, "--tp", "0"], "at least 1"),
                (["measure", *tiny, "--tp", "3"], "tp 3 must divide"),
                (["measure", *tiny, "--kv", "8, 4"], "sizes must ascend"),
                (["measure", *tiny, "--tokens", "0"], "--tokens: no size above 0"),
                (["measure", *tiny, "--dry-run", "--layers", "wings"], "no operator 'wings'"),
                (["serve", *tiny, "--rate", "-1"], "above 0"),
                (["serve", *tiny, "--input-toks", "9-3"], "LOW-HIGH"),
                (["serve", *tiny, "--trace", "none.csv"], "none.csv: No such file"),
                (["serve", "--model", "llama2-7b", "--output", "no/such/run.csv"], "written to")]:
            self.assertIn(message, self.run_cli(*arguments, code=2).stderr, arguments)

    def test_without_pytorch_it_says_how_to_get_it(self):
        self.write("without/torch.py", "raise ImportError('not here')\n")
        done = self.run_cli("measure", "--model-config", self.write("tiny.yaml", TINY_YAML),
                            "--output", "b", code=2,
                            PYTHONPATH=f"{self.folder}/without:{support.PACKAGE}")
        self.assertIn("PyTorch cannot be imported (not here). Install it", done.stderr)

    def test_validate(self):
        self.assertIn("meta.yaml: No such file", self.run_cli("validate", "b", code=1).stdout)


if __name__ == "__main__":
    support.unittest.main()
