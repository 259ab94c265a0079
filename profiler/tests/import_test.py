"""Bundles made of other tools' CSVs: what comes out, and what is refused."""

import contextlib
import csv
import gzip
import io
import math
import os
import pathlib
import unittest

from support import ROOT, TINY_YAML, TestCase
from tokensim_profiler import bundle, cli, validation

KERNELS = pathlib.Path(os.environ.get("TOKENSIM_DATA", ROOT.parent / "shared" / "data")) / "kernels"
PROFILES = KERNELS.parent / "profiles"


class Importing(TestCase):
    def run_cli(self, *arguments, code=0):
        """Standard output and error."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            self.assertEqual(cli.main([str(one) for one in arguments]), code, err.getvalue())
        return out.getvalue(), err.getvalue()

    def table(self, name, tp=1):
        return bundle.read_table(self.folder / f"b/tp{tp}/{name}.csv", bundle.TABLES[name])


VIDUR_OPERATORS = ("emb", "input_layernorm", "attn_pre_proj", "attn_rope", "attn_post_proj",
                   "post_attention_layernorm", "mlp_up_proj", "mlp_act", "mlp_down_proj", "add")


def vidur_mlp(*rows, operators=VIDUR_OPERATORS, embd=32):
    """(tp, tokens, milliseconds of the first operator; the next take 0.001 more each)."""
    lines = [",".join([f"time_stats.{op}.median" for op in operators] +
                      ["num_tokens", "num_tensor_parallel_workers", "n_embd"])]
    for tp, tokens, first in rows:
        times = [f"{first + 0.001 * i:.6f}" for i in range(len(operators))]
        lines.append(",".join([*times, str(tokens), str(tp), str(embd)]))
    return "\n".join(lines) + "\n"

VIDUR_ATTENTION = """time_stats.attn_input_reshape.median,time_stats.attn_kv_cache_save.median,\
time_stats.attn_prefill.median,time_stats.attn_decode.median,time_stats.attn_output_reshape.median,\
n_embd,block_size,num_tensor_parallel_workers,batch_size,prefill_chunk_size,kv_cache_size,is_prefill
0.001,0.002,0.5,,0.003,32,16,1,1,64,0,True
0.001,0.002,0.7,,0.003,32,16,1,1,64,128,True
0.001,0.002,0.9,,0.003,32,16,1,2,64,0,True
0.001,,,0.02,0.003,32,16,1,1,0,0,False
0.001,,,0.03,0.003,32,16,1,1,0,100,False
0.001,,,0.04,0.003,32,16,1,1,0,300,False
0.001,,,0.05,0.003,32,16,1,8,0,100,False
0.001,,,0.07,0.003,32,16,2,8,0,100,False
0.001,,,0.09,0.003,32,16,2,8,0,100,False
0.001,,,0.18,0.003,32,16,2,8,0,100,False
0.001,0.002,0.3,,0.003,32,16,2,1,64,0,True
"""


class Vidur(Importing):
    def vidur(self, *options, mlp=None, attention=VIDUR_ATTENTION, code=0):
        mlp = mlp or vidur_mlp((1, 1, 0.01), (1, 8, 0.02), (2, 1, 0.03))
        return self.run_cli("import-vidur", "--mlp",
                            self.write("compute/a100/org/model/mlp.csv", mlp), "--attention",
                            self.write("compute/a100/org/model/attention.csv", attention),
                            "--output", self.folder / "b", *options, code=code)

    def refused(self, message, **files):
        self.assertIn(message, self.vidur(code=2, **files)[1])

    def test_dense_operators(self):
        self.vidur()
        dense = self.table("dense")
        self.assertEqual({key: time for key, time in dense.items() if key[1] == 1}, {
            ("act_fn", 1): 17, ("down_proj", 1): 18, ("embedding", 1): 10, ("gate_up_proj", 1): 16,
            ("o_proj", 1): 14, ("qkv_proj", 1): 12, ("rotary_emb", 1): 13,
            ("layernorm", 1): (11 + 15) / 2 + 19, ("final_layernorm", 1): (11 + 15) / 2 + 19})
        self.assertEqual(dense["qkv_proj", 8], 22)
        self.assertFalse((self.folder / "b/tp1/per_sequence.csv").exists())

    def test_attention(self):
        _, notes = self.vidur()
        self.assertEqual(self.table("attention"), {
            (64, 0, 0, 0): 506, (64, 128, 0, 0): 706,
            (0, 0, 1, 1): 24,  # a decode attends to itself at least
            (0, 0, 1, 100): 34, (0, 0, 1, 300): 44, (0, 0, 8, 100): 54,
            (0, 0, 8, 300): 162})  # not measured
        self.assertIn("1 rows with several prefills are left out", notes)
        self.assertIn("1 of 6 batches of decodes are longer than was measured", notes)
        self.assertIn("lm_head and sampler", notes)

    def test_the_bundle_is_valid_and_says_what_it_is(self):
        out, _ = self.vidur("--tp", "1,2")
        self.assertIn("tp1: dense.csv 18 rows, attention.csv 7 rows", out)
        self.assertEqual(validation.check(self.folder / "b"), [])
        meta = bundle.read_meta(self.folder / "b")
        self.assertEqual((meta["model"], meta["hardware"], meta["tp_degrees"]),
                         ("model", "a100", [1, 2]))
        self.assertEqual(meta["imported"]["dimensions"], {"n_embd": 32})

    def test_rows_that_are_there_several_times_give_their_median(self):
        self.vidur("--tp", "2")
        self.assertEqual(self.table("attention", tp=2)[0, 0, 8, 100], 94)

    def test_models_with_one_norm_and_without_add(self):
        operators = [op for op in VIDUR_OPERATORS if op not in ("post_attention_layernorm", "add")]
        self.vidur(mlp=vidur_mlp((1, 1, 0.01), operators=operators))
        self.assertEqual(self.table("dense")["layernorm", 1], 11)

    def test_what_is_refused(self):
        good = vidur_mlp((1, 1, 0.01))
        self.refused("mlp.csv:1: has no column time_stats.mlp_act.median",
                     mlp=good.replace("mlp_act", "mlp_silu"))
        self.refused("mlp.csv:2: time_stats.emb.median is 'fast', not a number",
                     mlp=good.replace("0.010000", "fast"))
        self.refused("mlp.csv:2: time_stats.emb.median is '0', not above 0",
                     mlp=good.replace("0.010000", "0"))
        self.refused("mlp.csv:2: num_tokens is '1.5', not a whole number",
                     mlp=good.replace(",1,1,32", ",1.5,1,32"))
        self.refused("mlp.csv:2: has 14 columns, the first line has 13",
                     mlp=good.replace(",1,1,32", ",1,1,32,"))
        self.refused("mlp.csv: has no rows", mlp=good.splitlines()[0])
        self.refused("mlp.csv: has no rows for num_tensor_parallel_workers 1; there are 2, 4",
                     mlp=vidur_mlp((4, 1, 0.01), (2, 1, 0.01)))
        self.refused("mlp.csv:3: n_embd is '64', but 32 before",
                     mlp=good + vidur_mlp((1, 2, 0.01), embd=64).splitlines()[1] + "\n")
        self.refused("attention.csv:2: n_embd is '32', but 64 before",
                     mlp=vidur_mlp((1, 1, 0.01), embd=64))
        self.refused("attention.csv:2: is_prefill is 'maybe', neither True nor False",
                     attention=VIDUR_ATTENTION.replace("True", "maybe", 1))
        self.refused("attention.csv: has no prefill rows",
                     attention=VIDUR_ATTENTION.replace(",1,1,64,", ",4,1,64,"))

    def test_one_size_of_blocks(self):
        attention = VIDUR_ATTENTION + "0,0,0,0.06,0,32,32,1,8,0,200,False\n" \
                                      "0,0,0.4,0,0,32,32,1,1,64,0,True\n"
        self.refused("block_size is 16, 32: choose one with --block-size", attention=attention)
        self.vidur("--block-size", "32", attention=attention)
        self.assertEqual(self.table("attention"), {(0, 0, 8, 200): 60, (64, 0, 0, 0): 400})


def gemms(*rows, dtype="bfloat16", kernel="linear"):
    """(n, k, {m: milliseconds})."""
    return "".join(f"gemm,{kernel},{dtype},{m},{n},{k},{time}\n"
                   for n, k, curve in rows for m, time in curve.items())

GEMM_HEADER = "op_name,kernel_source,gemm_dtype,m,n,k,latency\n"
ATTENTION_HEADER = ("op_name,kernel_source,batch_size,isl,num_heads,num_key_value_heads,head_dim,"
                    "attn_dtype,kv_cache_dtype,step,window_size,latency\n")
# The tiny model's matrices, n x k: qkv 64 x 32, o 32 x 32, gate_up 96 x 32, down 32 x 48, lm_head
# 101 x 32.
CURVE = {1: 0.01, 8: 0.04}
GEMMS = GEMM_HEADER + gemms(
    (64, 32, {1: 0.02, 8: 0.05, 4096: 0.9}), (32, 32, CURVE), (144, 32, {1: 0.09, 8: 0.16}),
    (32, 64, {1: 0.04, 8: 0.05}))


def attention(*rows, heads=4, kv=2, kernel="fa3", window=0):
    """(batch, isl, step, milliseconds)."""
    return "".join(f"attention,{kernel},{batch},{isl},{heads},{kv},8,bfloat16,bfloat16,{step},"
                   f"{window},{time}\n" for batch, isl, step, time in rows)

CONTEXT = ATTENTION_HEADER + attention((1, 16, 0, 0.01), (1, 64, 0, 0.03), (2, 16, 0, 0.05),
                                       (1, 32, 64, 0.09), (1, 32768, 0, 9))
GENERATION = ATTENTION_HEADER + attention((1, 1, 15, 0.01), (1, 1, 63, 0.02), (4, 1, 15, 0.03),
                                          (8, 1, 15, 0.06), (8, 1, 63, 0.2))


class KernelsTestCase(Importing):
    def kernels(self, *options, gemm=GEMMS, context=CONTEXT, generation=GENERATION, code=0):
        return self.run_cli(
            "import-kernels", "--model-config", self.write("tiny.yaml", TINY_YAML),
            "--gemm", self.write("gemm.csv", gemm),
            "--context-attention", self.write("context.csv", context),
            "--generation-attention", self.write("generation.csv", generation),
            "--output", self.folder / "b", *options, code=code)

    def refused(self, message, *options, **files):
        self.assertIn(message, self.kernels(*options, code=2, **files)[1])


class Kernels(KernelsTestCase):
    def test_measured_sizes_are_taken_as_they_are(self):
        _, notes = self.kernels("--max-tokens", "2048")
        dense = self.table("dense")
        self.assertEqual([dense["qkv_proj", 1], dense["qkv_proj", 8], dense["o_proj", 8]],
                         [20, 50, 40])
        self.assertNotIn(("qkv_proj", 4096), dense)
        self.assertNotIn("qkv_proj", notes)
        self.assertEqual({layer for layer, _ in dense},
                         {"qkv_proj", "o_proj", "gate_up_proj", "down_proj"})

    def test_between_measured_sizes_the_logarithms_are_linear(self):
        _, notes = self.kernels()
        dense = self.table("dense")
        # 96 is in the middle of 64 and 144 in logarithms: the geometric mean.
        self.assertAlmostEqual(dense["gate_up_proj", 1], (20 * 90) ** 0.5, places=3)
        self.assertNotIn(("gate_up_proj", 4096), dense)  # measured for one of both only
        share = math.log(48 / 32) / math.log(64 / 32)
        self.assertAlmostEqual(dense["down_proj", 1], 10 ** (1 - share) * 40 ** share, places=3)
        self.assertIn("gate_up_proj: n=96, k=32 is not measured: between n=64 and 144", notes)
        self.assertIn("down_proj: n=32, k=48 is not measured: between k=32 and 64", notes)

    def test_beyond_the_largest_size_it_is_several(self):
        gemm = GEMM_HEADER + gemms((32, 32, CURVE), (64, 32, {1: 0.02, 8: 0.06}), (32, 64, CURVE))
        _, notes = self.kernels(gemm=gemm)
        self.assertAlmostEqual(self.table("per_sequence")["lm_head", 8], 60 * 101 / 64, places=3)
        self.assertIn("lm_head: n=101, k=32 is not measured: n=64 times 1.58", notes)
        self.kernels(gemm=GEMM_HEADER + gemms((16, 16, CURVE)))
        self.assertAlmostEqual(self.table("dense")["o_proj", 8], 40 * 2 * 2)

    def test_attention_alone(self):
        self.kernels()
        self.assertEqual(self.table("attention"), {
            (16, 0, 0, 0): 10, (64, 0, 0, 0): 30,
            (0, 0, 1, 16): 10, (0, 0, 1, 64): 20, (0, 0, 4, 16): 30, (0, 0, 4, 64): 90,
            (0, 0, 8, 16): 60, (0, 0, 8, 64): 200})

    def test_long_decodes_go_on_as_between_the_last_two_contexts(self):
        generation = ATTENTION_HEADER + attention((1, 1, 99, 0.01), (8, 1, 9, 0.03),
                                                  (8, 1, 19, 0.05))
        _, notes = self.kernels(generation=generation)
        self.assertAlmostEqual(self.table("attention")[0, 0, 8, 100], 50 + 80 * 2)
        self.assertIn("1 of 6 batches of decodes are longer", notes)

    def test_no_decode_is_faster_for_its_tokens_than_the_fastest_that_was_measured(self):
        generation = ATTENTION_HEADER + attention((1, 1, 99, 0.01), (8, 1, 9, 0.03),
                                                  (8, 1, 19, 0.0301))
        self.kernels(generation=generation)
        self.assertAlmostEqual(self.table("attention")[0, 0, 8, 100], 30.1 + 8 * 0.1 * 80)

    def test_fewer_heads_and_more_sequences_are_the_same_work(self):
        rows = attention((1, 1, 15, 0.01), (2, 1, 15, 0.02), (3, 1, 15, 0.04), (4, 1, 15, 0.05),
                         (8, 1, 15, 0.074), heads=2, kv=1)
        context = attention((2, 16, 0, 0.7), (4, 16, 0, 0.9), heads=2, kv=1)
        _, notes = self.kernels(generation=ATTENTION_HEADER + rows,
                                context=ATTENTION_HEADER + context)
        self.assertEqual(self.table("attention"),
                         {(16, 0, 0, 0): 700, (0, 0, 1, 16): 20,
                          (0, 0, 2, 16): 50, (0, 0, 3, 16): 62, (0, 0, 4, 16): 74})
        self.assertIn("no rows with 4 heads and 2 KV heads: 2 sequences with 2 and 1", notes)

    def test_between_batches_that_stand_for_one_time_is_linear(self):
        rows = attention((1, 1, 15, 0.01), (3, 1, 15, 0.03), (8, 1, 15, 0.08), heads=2, kv=1)
        context = attention((1, 16, 0, 0.5), (4, 16, 0, 0.8), (1, 64, 0, 0.9), heads=2, kv=1)
        self.kernels(generation=ATTENTION_HEADER + rows, context=ATTENTION_HEADER + context)
        self.assertEqual(self.table("attention"), {(0, 0, 1, 16): 20, (0, 0, 3, 16): 60,
                                                   (16, 0, 0, 0): 600})

    def test_one_kernel_and_no_windows(self):
        more = attention((1, 1, 15, 0.5), kernel="fa4") + attention((1, 1, 15, 0.001), window=128)
        _, notes = self.kernels(generation=GENERATION + more)
        self.assertEqual(self.table("attention")[0, 0, 1, 16], 10)
        self.assertIn("of the kernels fa3, fa4 only fa3 is taken", notes)

    def test_a_rank_of_two(self):
        rows = attention((1, 1, 15, 0.01), heads=2, kv=1)
        context = attention((1, 16, 0, 0.5), heads=2, kv=1)
        self.kernels("--tp", "1,2", "--memory-bandwidth", "0.001",
                     generation=GENERATION + rows, context=CONTEXT + context,
                     gemm=GEMMS + gemms((32, 16, CURVE), (32, 24, CURVE), (48, 32, CURVE),
                                        (51, 32, CURVE)))
        self.assertEqual(self.table("attention", tp=2), {(16, 0, 0, 0): 500, (0, 0, 1, 16): 10})
        self.assertEqual(self.table("dense", tp=2)["qkv_proj", 1], 10)  # 32 x 32
        # Half of the rows looked up are another rank's; each rank writes all of them.
        self.assertAlmostEqual(self.table("dense", tp=2)["embedding", 1], 32 * (1 + 2))
        self.assertEqual(validation.check(self.folder / "b"), [])

    def test_what_only_moves_memory(self):
        self.kernels("--memory-bandwidth", "0.001", "--launch-us", "2")  # 1 byte a us
        dense = self.table("dense")
        for layer, row_bytes in (("layernorm", 8 * 32), ("final_layernorm", 8 * 32),
                                 ("embedding", 4 * 32), ("rotary_emb", 4 * (4 + 2) * 8),
                                 ("act_fn", 6 * 48)):
            self.assertAlmostEqual(dense[layer, 8], 2 + 8 * row_bytes, places=2, msg=layer)
        self.assertAlmostEqual(self.table("per_sequence")["sampler", 8], 2 + 8 * 10 * 101)

    def test_quantised_models_keep_their_head(self):
        fp8 = gemms((64, 32, CURVE), (32, 32, CURVE), (96, 32, CURVE), (32, 48, CURVE), dtype="fp8",
                    kernel="cutlass")
        self.kernels("--dtype", "fp8", gemm=GEMMS + fp8)
        self.assertEqual(self.table("dense")["qkv_proj", 1], 10)
        self.assertGreater(self.table("per_sequence")["lm_head", 1], 20)

    def test_gzip_without_optional_columns(self):
        text = GEMMS.replace("gemm,linear,", "").replace("op_name,kernel_source,", "")
        path = self.folder / "g.csv.gz"
        path.write_bytes(gzip.compress(text.encode("utf-8-sig")))
        self.kernels("--gemm", path)
        self.assertEqual(self.table("dense")["qkv_proj", 1], 20)
        path.write_bytes(path.read_bytes()[:-10])
        self.assertIn("g.csv.gz: ", self.kernels("--gemm", path, code=2)[1])

    def test_importing_again_replaces(self):
        self.kernels()
        self.kernels(generation=GENERATION.replace("0.01", "0.015"))
        self.assertEqual(self.table("attention")[0, 0, 1, 16], 15)
        self.refused("measured in another way (imported differ)", "--launch-us", "1")
        self.kernels("--launch-us", "1", "--overwrite")

    def test_what_is_refused(self):
        self.refused("no.csv: No such file or directory", "--gemm", "no.csv")
        self.refused("gemm.csv:1: has no column latency", gemm=GEMMS.replace("latency", "time"))
        self.refused("gemm.csv:2: n is 'wide', not a number", gemm=GEMMS.replace("64", "wide", 1))
        self.refused("gemm.csv:2: m is '0', not a whole number of at least 1",
                     gemm=GEMMS.replace("bfloat16,1,", "bfloat16,0,", 1))
        self.refused("gemm_dtype is never fp8 with m up to 16384; there are bfloat16",
                     "--dtype", "fp8")
        self.refused("n=96, k=32 is not measured, nor its neighbour n=144, k=32",
                     gemm=GEMM_HEADER + gemms((64, 32, CURVE), (32, 32, CURVE), (144, 16, CURVE)))
        self.refused("there are bfloat16 bfloat16 8", "--kv-dtype", "fp8")
        self.refused("no rows with num_heads 4, num_key_value_heads 2, nor a fraction of both; "
                     "there are 4/1", context=ATTENTION_HEADER + attention((1, 16, 0, 1), kv=1))
        self.refused("tp 3 must divide", "--tp", "3")


class ValidationOfImports(KernelsTestCase):
    def test_what_the_engine_needs(self):
        self.kernels()
        path = self.folder / "b/tp1/attention.csv"
        text = path.read_text(encoding="utf-8")
        for old, new, problem in (
                ("16,0,0,0,10\n", "16,0,1,16,10\n", "no chunk of 16 tokens alone"),
                ("64,0,0,0,30\n", "64,0,0,0,-30\n", "not positive")):
            self.assertIn(old, text)
            path.write_text(text.replace(old, new), encoding="utf-8")
            self.assertIn(problem, "\n".join(validation.check(self.folder / "b")))
        lines = text.splitlines(keepends=True)
        for kept, problem in ((lambda line: not line.startswith("0,"), "no decodes alone"),
                              (lambda line: line[0] in "p0", "no chunk of a prompt")):
            path.write_text("".join(filter(kept, lines)), encoding="utf-8")
            self.assertIn(problem, "\n".join(validation.check(self.folder / "b")))
        (self.folder / "b/tp1/dense.csv").unlink()
        self.assertIn("dense.csv is missing", "\n".join(validation.check(self.folder / "b")))


@unittest.skipUnless(KERNELS.is_dir(), f"no kernel tables in {KERNELS}")
class MeasuredKernels(Importing):
    def kernels(self, gpu, model):
        files = KERNELS / f"{gpu}__vllm_0.24.0__"
        return self.run_cli("import-kernels", "--model", model, "--output", self.folder / "b",
                            "--gemm", f"{files}gemm_perf.csv.gz",
                            "--context-attention", f"{files}context_attention_perf.csv.gz",
                            "--generation-attention", f"{files}generation_attention_perf.csv.gz")

    def test_h100_is_no_faster_than_its_memory(self):
        self.kernels("h100_sxm", "llama2-7b")
        self.assertEqual(validation.check(self.folder / "b"), [])
        peak = 3.35e6  # bytes a us
        self.assertGreater(self.table("dense")["gate_up_proj", 1], 2 * 22016 * 4096 / peak)
        self.assertGreater(self.table("per_sequence")["lm_head", 1], 2 * 32000 * 4096 / peak)
        for (chunk, _, batch, context), microseconds in self.table("attention").items():
            if chunk == 0 and batch * context > 2**17:
                self.assertGreater(microseconds, batch * context * 2 * 2 * 4096 / peak)

    def test_vllms_own_times_on_the_same_gpu(self):
        """The same operators as LLMServingSim 2.0's profiler measured them inside vLLM."""
        measured = PROFILES / "RTXPRO6000/meta-llama/Llama-3.1-8B/bf16/tp1"
        self.kernels("rtx_pro_6000_server", "llama3.1-8b")
        for table, layers, most in (
                ("dense", ("qkv_proj", "o_proj", "gate_up_proj", "down_proj"), 0.08),
                ("per_sequence", ("lm_head",), 0.04)):
            ours = self.table(table)
            theirs = {}
            with open(measured / f"{table}.csv", encoding="utf-8") as file:
                for row in csv.reader(file):
                    if row[0] in layers and (row[0], int(row[1])) in ours:
                        theirs[row[0], int(row[1])] = float(row[2])
            for layer in layers:
                errors = [abs(ours[key] / time - 1) for key, time in theirs.items()
                          if key[0] == layer]
                self.assertGreater(len(errors), 15)
                self.assertLess(sum(errors) / len(errors), most, layer)


if __name__ == "__main__":
    unittest.main()
