"""What the tests share. Run one by hand: python3 profiler/tests/grid_test.py -v"""

import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "profiler"
sys.path.insert(0, str(PACKAGE))

from tokensim_profiler.grid import Grid  # noqa: E402
from tokensim_profiler.shapes import ModelShape  # noqa: E402

TINY = ModelShape(name="Tiny", num_layers=2, hidden_size=32, num_attention_heads=4, num_kv_heads=2,
                  head_dim=8, intermediate_size=48, vocab_size=101)
TINY_YAML = """name: Tiny
num_layers: 2
hidden_size: 32
num_attention_heads: 4
num_kv_heads: 2
head_dim: 8
intermediate_size: 48
vocab_size: 101
"""
TINY_GRID = Grid(tokens="1-4 +1, 8", sequences="1-4 x2", chunks="0, 2-8 x2", n_decode="0, 1-4 x2",
                 kv="0, 2-8 x2", moe_tokens="1-4 x2", max_num_seqs=4)


class TestCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path
