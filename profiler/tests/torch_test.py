"""What needs PyTorch, on the CPU with tiny dimensions: kernels, attention, a bundle, the loop."""

import dataclasses
import io
import math
import random
import sys
import types
import unittest
from contextlib import redirect_stderr, redirect_stdout
from unittest import mock

from support import TINY, TINY_YAML, TestCase
from tokensim_profiler import cli, validation
from tokensim_profiler.bundle import TABLES, read_meta, read_table
from tokensim_profiler.serve import loop, workload
from tokensim_profiler.serve.scheduler import Chunk, Scheduler

try:
    import torch
    import torch.nn.functional as F

    from tokensim_profiler import attention, kernels
    from tokensim_profiler.operators import OperatorConfig, Operators, spread
    from tokensim_profiler.serve.torch_executor import TorchExecutor
except ImportError as error:  # Debian: python3-torch
    if __name__ != "__main__":
        raise unittest.SkipTest(f"torch cannot be imported: {error}") from error
    print(f"skipped: torch cannot be imported: {error}", file=sys.stderr)
    sys.exit(77)  # CTest: SKIP_RETURN_CODE

MOE = dataclasses.replace(TINY, num_experts=4, experts_per_token=2, qk_norm=True)
CONFIG = OperatorConfig("cpu", "fp32", block_size=4, backend="math", contiguous=False)
TINY_AXES = ["--tokens", "1-4 +1, 8", "--sequences", "1-4 x2", "--chunks", "0, 2-8 x2",
             "--n-decode", "0, 1-4 x2", "--kv", "0, 2-8 x2", "--moe-tokens", "1-4 x2",
             "--max-num-seqs", "4", "--warm-up", "1", "--repeats", "2"]


def documented_sdpa(query, key, value, attn_mask=None, is_causal=False):
    """What PyTorch's documentation of scaled_dot_product_attention says that it computes."""
    bias = torch.zeros(query.size(-2), key.size(-2))
    if is_causal:
        assert attn_mask is None
        bias.masked_fill_(torch.ones_like(bias, dtype=torch.bool).tril().logical_not(), -math.inf)
    elif attn_mask is not None:
        bias = torch.zeros(attn_mask.shape).masked_fill_(attn_mask.logical_not(), -math.inf)
    weights = torch.softmax(query @ key.transpose(-2, -1) / math.sqrt(query.size(-1)) + bias, -1)
    return weights @ value


def documented_flash(q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, causal,
                     block_table):
    """flash_attn_varlen_func with paged keys, written out sequence by sequence."""
    assert causal and block_table.dtype == cu_seqlens_q.dtype == cu_seqlens_k.dtype == torch.int32
    outs = []
    for index, table in enumerate(block_table):
        rows = q[cu_seqlens_q[index]:cu_seqlens_q[index + 1]]
        length = int(cu_seqlens_k[index + 1] - cu_seqlens_k[index])
        assert len(rows) <= max_seqlen_q and length <= max_seqlen_k
        keys, values = (part[table.long()].flatten(0, 1)[:length] for part in (k, v))
        outs.append(plain_attention(rows, keys, values))
    return torch.cat(outs)


def plain_attention(q, keys, values):
    """One sequence, token by token and head by head; the last query sees all keys."""
    out = torch.empty_like(q)
    group = q.shape[1] // keys.shape[1]
    for token in range(q.shape[0]):
        seen = keys.shape[0] - q.shape[0] + token + 1
        for head in range(q.shape[1]):
            scores = keys[:seen, head // group] @ q[token, head] / math.sqrt(q.shape[2])
            out[token, head] = torch.softmax(scores, 0) @ values[:seen, head // group]
    return out


class Kernels(unittest.TestCase):
    def test_rotation_keeps_lengths_and_depends_on_distances_only(self):
        cos, sin = kernels.rope_table(50, 8, "cpu", torch.float32)
        q, k = torch.randn(2, 1, 1, 8)
        turned = lambda x, at: kernels.rotate(x, cos[at:at + 1], sin[at:at + 1])  # noqa: E731
        self.assertAlmostEqual(float(turned(q, 7).norm()), float(q.norm()), places=5)
        near = (turned(q, 9) * turned(k, 4)).sum()
        far = (turned(q, 45) * turned(k, 40)).sum()
        self.assertAlmostEqual(float(near), float(far), places=4)

    def test_norm(self):
        x = torch.randn(3, 16) * 5
        out, residual = kernels.add_rms_norm(x, torch.ones(3, 16), torch.full((16,), 2.0))
        torch.testing.assert_close(residual, x + 1)
        torch.testing.assert_close(out.pow(2).mean(-1), torch.full((3,), 4.0), rtol=1e-3, atol=0)

    def test_experts_are_the_weighted_sum_of_mlps(self):
        x, router = torch.randn(5, 8), torch.randn(4, 8)
        up, down = torch.randn(4, 12, 8), torch.randn(4, 8, 6)
        weights, experts = kernels.route(x, router, 2)
        counts = torch.bincount(experts.flatten(), minlength=4).tolist()
        out = kernels.experts_mlp(x, weights, experts, counts, up, down, gated=True)
        for token in range(5):
            expected = sum(weights[token, place] * (down[expert] @ kernels.activation(
                up[expert] @ x[token], True)) for place, expert in enumerate(experts[token]))
            torch.testing.assert_close(out[token], expected, rtol=1e-4, atol=1e-4)

    def test_spread_activates_as_many_experts_as_asked(self):
        for tokens, activated, k in [(1, 2, 2), (4, 8, 2), (7, 5, 3), (2048, 128, 8)]:
            choices, counts = spread(tokens, activated, k)
            self.assertTrue(all(len(set(row)) == k for row in choices))
            flat = [expert for row in choices for expert in row]
            self.assertEqual([flat.count(expert) for expert in range(activated)], counts)
            self.assertGreater(min(counts), 0)


class Attention(unittest.TestCase):
    # (new tokens, context): decodes first.
    STEPS = [([(1, 5), (1, 5)], 2), ([(1, 3), (1, 9), (1, 1)], 3), ([(6, 6)], 0), ([(4, 11)], 0),
             ([(1, 7), (1, 2), (5, 5), (3, 10)], 2)]

    def check(self, backend):
        for sequences, n_decode in self.STEPS:
            cache = attention.KvCache(16, 4, TINY, "cpu", torch.float32)
            cache.keys.normal_()
            cache.values.normal_()
            blocks = list(range(16))
            random.Random(1).shuffle(blocks)
            tables = [[blocks.pop() for _ in range(-(-context // 4))] for _, context in sequences]
            tokens = sum(new for new, _ in sequences)
            q, k, v = (torch.randn(tokens, heads, 8) for heads in (4, 2, 2))
            step = attention.Step.build([(*sizes, table) for sizes, table in
                                         zip(sequences, tables)], cache, n_decode)
            out = attention.attend(q, k, v, cache, step, backend, contiguous=False)
            start = 0
            for (new, context), table in zip(sequences, tables):
                keys, values = (part[table].flatten(0, 1)[:context]
                                for part in (cache.keys, cache.values))
                torch.testing.assert_close(keys[context - new:], k[start:start + new])
                torch.testing.assert_close(out[start:start + new], plain_attention(
                    q[start:start + new], keys, values), rtol=1e-4, atol=1e-5)
                start += new

    def test_math(self):
        self.check("math")

    def test_sdpa(self):
        if hasattr(F, "scaled_dot_product_attention"):
            self.check("sdpa")
        with mock.patch.object(F, "scaled_dot_product_attention", documented_sdpa, create=True):
            self.check("sdpa")

    def test_flash_attn_gets_what_it_documents(self):
        module = types.ModuleType("flash_attn")
        module.flash_attn_varlen_func = documented_flash
        with mock.patch.dict(sys.modules, {"flash_attn": module}):
            self.check("flash_attn")

    def test_contiguous_and_paged_read_the_same_tokens(self):
        rows = [(3, 5, 2, 6), (0, 0, 3, 4), (4, 0, 0, 0), (2, 3, 1, 1)]
        for row in rows:
            outs = []
            for contiguous in (True, False):
                torch.manual_seed(0)
                config = dataclasses.replace(CONFIG, contiguous=contiguous)
                operators = Operators(TINY, 101, config, rows)
                operators._cache.keys.fill_(0.5)   # histories are equal wherever they lie
                operators._cache.values.fill_(0.25)
                outs.append(operators.call("attention", row)())
            torch.testing.assert_close(*outs)


class Bundles(TestCase):
    def tokensim_profile(self, *arguments, code=0):
        with redirect_stderr(io.StringIO()) as self.stderr, redirect_stdout(io.StringIO()):
            self.assertEqual(cli.main(list(map(str, arguments))), code, self.stderr.getvalue())

    def measure(self, text, *arguments, code=0):
        self.tokensim_profile("measure", "--model-config", self.write("m.yaml", text), "--device",
                              "cpu", "--dtype", "fp32", "--output", self.folder / "b", *TINY_AXES,
                              *arguments, code=code)

    def test_a_bundle_measured_here_is_valid(self):
        self.measure(TINY_YAML, "--tp", "1,2")
        self.assertEqual(validation.check(self.folder / "b"), [])
        self.assertEqual(read_meta(self.folder / "b")["tp_degrees"], [1, 2])
        before = (self.folder / "b/tp1/dense.csv").read_text(encoding="utf-8")
        self.measure(TINY_YAML)  # all is there: nothing is measured again
        self.assertEqual((self.folder / "b/tp1/dense.csv").read_text(encoding="utf-8"), before)
        self.assertIn("tp1: 0 rows to measure", self.stderr.getvalue())

    def test_mixture_of_experts_paged_bf16(self):
        moe = TINY_YAML + "moe: {num_experts: 4, experts_per_token: 2}\n"
        self.measure(moe, "--dtype", "bf16", "--kv-layout", "paged", "--qk-norm")
        self.assertEqual(validation.check(self.folder / "b"), [])
        rows = read_table(self.folder / "b/tp1/moe.csv", TABLES["moe"])
        self.assertEqual(list(rows), [(1, 2), (2, 2), (2, 4), (4, 2), (4, 4)])
        self.assertEqual(read_meta(self.folder / "b")["engine_effective"]["kv_layout"], "paged")

    def test_operators_in_several_runs(self):
        self.measure(TINY_YAML, "--layers", "qkv_proj", code=1)
        self.assertIn("still to be measured", self.stderr.getvalue())
        self.assertIn("tp_degrees is empty", "\n".join(validation.check(self.folder / "b")))
        self.measure(TINY_YAML)
        self.assertEqual(validation.check(self.folder / "b"), [])

    def test_what_this_machine_cannot_do(self):
        self.measure(TINY_YAML, "--attention", "flash_attn", code=2)
        if not torch.cuda.is_available():
            self.measure(TINY_YAML, "--device", "cuda", code=2)
            self.assertIn("no GPU", self.stderr.getvalue())

    def test_serve_writes_stamps(self):
        self.tokensim_profile(
            "serve", "--model-config", self.write("m.yaml", TINY_YAML), "--device", "cpu",
            "--dtype", "fp32", "--requests", "12", "--rate", "200", "--input-toks", "3-40",
            "--output-toks", "1-9", "--max-num-batched-tokens", "16", "--output",
            self.folder / "run.csv")
        with open(self.folder / "run.csv", encoding="utf-8") as file:
            lines = file.read().splitlines()
        self.assertEqual(lines[0], ",".join(loop.COLUMNS))
        self.assertEqual(len(lines), 13)
        self.assertIn("12 requests", self.stderr.getvalue())


class Generation(unittest.TestCase):
    """Batching, chunking, paging and preemption change when tokens are computed, not which."""

    def alone(self, shape, request):
        executor = TorchExecutor(shape, CONFIG, num_blocks=16, max_positions=64, seed=3)
        tokens = request.tokens[:request.input_toks]
        for _ in range(request.output_toks):  # recomputes everything for each token
            whole = dataclasses.replace(request, tokens=list(tokens), blocks=list(range(16)))
            tokens += executor.execute([Chunk(whole, 0, len(tokens))])
        return tokens

    def check(self, shape):
        requests = workload.poisson(8, 1000.0, (1, 30), (1, 12), 5, shape.vocab_size)
        executor = TorchExecutor(shape, CONFIG, num_blocks=18, max_positions=64, seed=3)
        executor.warm_up(16)
        loop.serve(requests, Scheduler(18, 4, 16, 4), executor, loop.WallClock())
        self.assertGreater(sum(request.preemptions for request in requests), 0)
        for request in requests:
            self.assertEqual(request.tokens, self.alone(shape, request), request.id)
        self.assertGreater(len({token for request in requests for token in
                                request.tokens[request.input_toks:]}), 10)

    def test_dense(self):
        self.check(TINY)

    def test_mixture_of_experts(self):
        self.check(MOE)


if __name__ == "__main__":
    unittest.main()
