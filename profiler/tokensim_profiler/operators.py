"""Calls to time: one operator of one rank, on random data, for every row of a bundle's tables.

    operators = Operators(shape.rank(tp=2), shape.vocab_size, config, attention_rows)
    timer.measure(operators.call("dense", ("o_proj", 16)))

Weights are made when first used, so that measuring some operators needs memory for those only.
"""

import dataclasses
import functools
import random

import torch
import torch.nn.functional as F

from tokensim_profiler import attention, kernels

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


@dataclasses.dataclass(frozen=True)
class OperatorConfig:
    device: str
    dtype: str
    block_size: int
    backend: str       # of attention
    contiguous: bool   # keys and values of a batch without block tables


class Operators:
    """`shape` is that of the rank; the sampler sees the gathered logits of `full_vocab_size`."""

    def __init__(self, shape, full_vocab_size, config, attention_rows=()):
        self._shape = shape
        self._full_vocab_size = full_vocab_size
        self._config = config
        self._attention_rows = attention_rows
        self._device = config.device
        self._dtype = DTYPES[config.dtype]
        self._weights = {}

    def call(self, table, key):
        """A function without arguments that runs the operator once."""
        if table == "attention":
            return self._attention(*key)
        if table == "moe":
            return self._moe(*key)
        layer, size = key
        return getattr(self, f"_{layer}")(size)

    def _random(self, *size):
        return torch.randn(size, device=self._device, dtype=self._dtype) * 0.02

    def _weight(self, name, *size):
        if name not in self._weights:
            self._weights[name] = self._random(*size)
        return self._weights[name]

    def _linear(self, name, rows, inputs, outputs):
        x, weight = self._random(rows, inputs), self._weight(name, outputs, inputs)
        return lambda: F.linear(x, weight)

    def _embedding(self, tokens):
        table = self._weight("embedding", self._shape.vocab_size, self._shape.hidden_size)
        ids = torch.randint(self._shape.vocab_size, (tokens,), device=self._device)
        return lambda: F.embedding(ids, table)

    def _layernorm(self, tokens):
        x, residual = (self._random(tokens, self._shape.hidden_size) for _ in range(2))
        weight = self._weight("norm", self._shape.hidden_size)
        return lambda: kernels.add_rms_norm(x, residual, weight)

    _final_layernorm = _layernorm

    def _qkv_proj(self, tokens):
        heads = self._shape.num_attention_heads + 2 * self._shape.num_kv_heads
        return self._linear("qkv", tokens, self._shape.hidden_size, heads * self._shape.head_dim)

    def _q_and_k(self, tokens):
        return (self._random(tokens, self._shape.num_attention_heads, self._shape.head_dim),
                self._random(tokens, self._shape.num_kv_heads, self._shape.head_dim))

    def _qk_norm(self, tokens):
        q, k = self._q_and_k(tokens)
        weight = self._weight("qk_norm", self._shape.head_dim)
        return lambda: (kernels.rms_norm(q, weight), kernels.rms_norm(k, weight))

    def _rotary_emb(self, tokens):
        q, k = self._q_and_k(tokens)
        cos, sin = kernels.rope_table(tokens, self._shape.head_dim, self._device, self._dtype)
        positions = torch.randperm(tokens, device=self._device)

        def rotate():
            at = cos[positions], sin[positions]
            return kernels.rotate(q, *at), kernels.rotate(k, *at)
        return rotate

    def _o_proj(self, tokens):
        width = self._shape.num_attention_heads * self._shape.head_dim
        return self._linear("o", tokens, width, self._shape.hidden_size)

    def _up_width(self):
        return self._shape.intermediate_size * (2 if self._shape.gated_mlp else 1)

    def _gate_up_proj(self, tokens):
        return self._linear("gate_up", tokens, self._shape.hidden_size, self._up_width())

    def _act_fn(self, tokens):
        x = self._random(tokens, self._up_width())
        return lambda: kernels.activation(x, self._shape.gated_mlp)

    def _down_proj(self, tokens):
        return self._linear("down", tokens, self._shape.intermediate_size, self._shape.hidden_size)

    def _lm_head(self, sequences):
        return self._linear("lm_head", sequences, self._shape.hidden_size, self._shape.vocab_size)

    def _sampler(self, sequences):
        logits = self._random(sequences, self._full_vocab_size)
        return lambda: kernels.greedy(logits)

    def _moe(self, tokens, activated):
        """The router runs; its choice is replaced by one that activates `activated` experts."""
        shape = self._shape
        x = self._random(tokens, shape.hidden_size)
        router = self._weight("router", shape.num_experts, shape.hidden_size)
        gate_up = self._weight("expert_up", shape.num_experts, self._up_width(), shape.hidden_size)
        down = self._weight("expert_down", shape.num_experts, shape.hidden_size,
                            shape.intermediate_size)
        choices, counts = spread(tokens, activated, shape.experts_per_token)
        experts = torch.tensor(choices, device=self._device)

        def block():
            weights, _ = kernels.route(x, router, shape.experts_per_token)
            return kernels.experts_mlp(x, weights, experts, counts, gate_up, down,
                                       shape.gated_mlp)
        return block

    @functools.cached_property
    def _cache(self):
        """Large enough for the largest row, so that all rows share one allocation."""
        size = self._config.block_size
        blocks = max(sum(len(part) for part in self._tables(row)) for row in self._attention_rows)
        return attention.KvCache(blocks, size, self._shape, self._device, self._dtype)

    @functools.cached_property
    def _shuffled(self):
        """Blocks in the order in which a cache that has been used for long gives them out."""
        blocks = list(range(self._cache.keys.shape[0]))
        random.Random(0).shuffle(blocks)
        return blocks

    def _tables(self, row):
        """Block tables of the decodes and the prefill: ranges one after another."""
        chunk, history, n, context = row
        size = self._config.block_size
        lengths = [context] * n + ([history + chunk] if chunk else [])
        tables, start = [], 0
        for length in lengths:
            end = start + -(-length // size)
            tables.append(range(start, end))
            start = end
        return tables

    def _attention(self, chunk, history, n, context):
        shape, cache = self._shape, self._cache
        tables = self._tables((chunk, history, n, context))
        if not self._config.contiguous:
            tables = [[self._shuffled[block] for block in table] for table in tables]
        news = [1] * n + ([chunk] if chunk else [])
        contexts = [context] * n + ([history + chunk] if chunk else [])
        step = attention.Step.build(list(zip(news, contexts, tables)), cache, n)
        q = self._random(n + chunk, shape.num_attention_heads, shape.head_dim)
        k, v = (self._random(n + chunk, shape.num_kv_heads, shape.head_dim) for _ in range(2))
        return lambda: attention.attend(q, k, v, cache, step, self._config.backend,
                                        self._config.contiguous)


def spread(tokens, activated, experts_per_token):
    """Distinct experts for each token, evenly over the first `activated`; and their loads."""
    k = experts_per_token
    choices = [[(token * k + place) % activated for place in range(k)] for token in range(tokens)]
    whole, rest = divmod(tokens * k, activated)
    return choices, [whole + (expert < rest) for expert in range(activated)]
