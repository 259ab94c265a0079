"""Axes, grids and shapes."""

import json
import unittest

from support import TINY, TestCase
from tokensim_profiler import shapes
from tokensim_profiler.errors import UserError
from tokensim_profiler.grid import Grid, parse_axis


class Axis(unittest.TestCase):
    def test_numbers_factors_and_steps(self):
        self.assertEqual(parse_axis("0, 16-128 x2"), (0, 16, 32, 64, 128))
        self.assertEqual(parse_axis("1-3 +1, 8-20 +4, 30"), (1, 2, 3, 8, 12, 16, 20, 30))
        self.assertEqual(parse_axis("1-10 x4"), (1, 4))  # as far as the end

    def test_what_is_no_axis(self):
        for text in ["", "a", "1-", "4-2 x2", "1-8 x1", "1-8 +0", "0-8 x2", "3, 3", "8, 1-4 x2"]:
            with self.assertRaises(UserError, msg=text):
                parse_axis(text)


class Rows(unittest.TestCase):
    def test_the_default_has_the_size_of_the_bundles_that_vllm_was_measured_with(self):
        grid = Grid.default()
        self.assertEqual(len(grid.dense_rows(["o_proj"])), 152)
        self.assertEqual(len(grid.per_sequence_rows(["sampler"])), 40)
        self.assertEqual(len(grid.attention_rows()), 8643)
        self.assertEqual(len(grid.moe_rows(128, 8)), 50)

    def test_quick_is_a_part_of_it(self):
        quick, default = Grid.quick(), Grid.default()
        self.assertLess(len(quick.attention_rows()), len(default.attention_rows()) / 10)
        self.assertLessEqual(set(quick.attention_rows()), set(default.attention_rows()))
        self.assertLessEqual(set(quick.dense_rows(["x"])), set(default.dense_rows(["x"])))

    def test_attention_rows_are_iterations_that_can_be(self):
        rows = Grid.default().attention_rows(max_kv_tokens=10000)
        self.assertEqual(rows, sorted(set(rows)))
        for chunk, history, n, context in rows:
            self.assertTrue(chunk or n)
            self.assertTrue(chunk or not history)
            self.assertEqual(bool(n), bool(context))
            self.assertLessEqual(n + bool(chunk), 256)
            self.assertLessEqual(chunk + history + n * context, 10000)

    def test_moe_rows_end_at_all_experts(self):
        grid = Grid.default()
        self.assertEqual([row for row in grid.moe_rows(12, 4) if row[0] in (1, 2, 4)],
                         [(1, 4), (2, 4), (2, 8), (4, 4), (4, 8), (4, 12)])


class Shapes(TestCase):
    def test_every_preset_loads(self):
        self.assertIn("llama3.1-8b", shapes.presets())
        for name in shapes.presets():
            shapes.load(name).rank(2)

    def test_layers_of_several_kinds_are_refused(self):
        self.assertNotIn("deepseek-r1", shapes.presets())
        with self.assertRaisesRegex(UserError, "deepseek-r1.yaml: its layers are not all alike"):
            shapes.load("deepseek-r1")

    def test_presets_and_hugging_face_agree(self):
        path = self.write("llama/config.json", json.dumps({
            "num_hidden_layers": 32, "hidden_size": 4096, "num_attention_heads": 32,
            "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256,
            "_name_or_path": "Llama-3.1-8B"}))
        self.assertEqual(shapes.load(path), shapes.load("llama3.1-8b"))

    def test_mixture_of_experts(self):
        path = self.write("config.json", json.dumps({
            "num_hidden_layers": 48, "hidden_size": 2048, "num_attention_heads": 32,
            "num_key_value_heads": 4, "head_dim": 128, "intermediate_size": 6144,
            "moe_intermediate_size": 768, "num_experts": 128, "num_experts_per_tok": 8,
            "vocab_size": 151936, "model_type": "qwen3_moe", "_name_or_path": "Qwen3-30B-A3B"}))
        shape = shapes.load(path)
        self.assertEqual(shape, shapes.load("qwen3-30b-a3b"))
        self.assertIn("qk_norm", shape.dense_layers())
        self.assertNotIn("down_proj", shape.dense_layers())

    def test_one_rank(self):
        rank = shapes.load("llama3.1-8b").rank(16)
        self.assertEqual((rank.num_attention_heads, rank.num_kv_heads, rank.intermediate_size,
                          rank.vocab_size, rank.hidden_size), (2, 1, 896, 8016, 4096))
        self.assertEqual(TINY.rank(2).vocab_size, 51)
        for tp in (0, 3, 8):
            with self.assertRaises(UserError):
                TINY.rank(tp)

    def test_bad_files_say_what_is_wrong(self):
        for name, text, message in [
                ("a.yaml", "name: x\nnum_layers: 2", "num_attention_heads is missing"),
                ("b.yaml", "[1]", "must be a mapping"), ("c.json", "{", "c.json"),
                ("d.json", '{"num_hidden_layers": 2, "num_attention_heads": 2}', "is missing")]:
            with self.assertRaisesRegex(UserError, message):
                shapes.load(self.write(name, text))
        with self.assertRaisesRegex(UserError, "known: .*llama2-7b"):
            shapes.load("llama9")
        with self.assertRaisesRegex(UserError, "No such file"):
            shapes.load("missing.yaml")


if __name__ == "__main__":
    unittest.main()
