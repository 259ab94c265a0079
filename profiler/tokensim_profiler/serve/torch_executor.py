"""Computes the steps of the loop: a decoder with random weights and a paged KV cache.

    executor = TorchExecutor(shape, config, num_blocks=1000, max_positions=4096, seed=0)
    tokens = executor.execute(chunks)
"""

import math

import torch
import torch.nn.functional as F

from tokensim_profiler import attention, kernels
from tokensim_profiler.operators import DTYPES
from tokensim_profiler.serve.scheduler import Chunk, Request


class _Layer:
    def __init__(self, shape, weight):
        heads = shape.num_attention_heads
        up = shape.intermediate_size * (2 if shape.gated_mlp else 1)
        experts = (shape.num_experts,) if shape.num_experts else ()
        self.qkv = weight((heads + 2 * shape.num_kv_heads) * shape.head_dim, shape.hidden_size)
        self.o = weight(shape.hidden_size, heads * shape.head_dim)
        self.gate_up = weight(*experts, up, shape.hidden_size)
        self.down = weight(*experts, shape.hidden_size, shape.intermediate_size)
        self.router = weight(shape.num_experts, shape.hidden_size) if experts else None


class TorchExecutor:
    def __init__(self, shape, config, num_blocks, max_positions, seed):
        self._shape = shape
        self._config = config
        self._device = config.device
        self._generator = torch.Generator(device=config.device).manual_seed(seed)
        dtype = DTYPES[config.dtype]

        def weight(*size):
            scale = 1 / math.sqrt(size[-1])
            values = torch.randn(size, device=self._device, dtype=dtype, generator=self._generator)
            return values.mul_(scale)

        self._embedding = weight(shape.vocab_size, shape.hidden_size)
        self._lm_head = weight(shape.vocab_size, shape.hidden_size)
        self._layers = [_Layer(shape, weight) for _ in range(shape.num_layers)]
        self._norm = torch.ones(shape.hidden_size, device=self._device, dtype=dtype)
        self._head_norm = torch.ones(shape.head_dim, device=self._device, dtype=dtype)
        self._caches = [attention.KvCache(num_blocks, config.block_size, shape, self._device, dtype)
                        for _ in range(shape.num_layers)]
        self._rope = kernels.rope_table(max_positions, shape.head_dim, self._device, dtype)

    @torch.inference_mode()
    def execute(self, chunks):
        """A token for each chunk, None where the prompt is not complete yet."""
        order = sorted(range(len(chunks)), key=lambda index: chunks[index].count > 1)
        ordered = [chunks[index] for index in order]
        tokens = [None] * len(chunks)
        sampling = [(index, chunk) for index, chunk in zip(order, ordered) if chunk.samples()]
        for (index, _), token in zip(sampling, self._forward(ordered)):
            tokens[index] = token
        return tokens

    def warm_up(self, tokens):
        """Loads libraries and kernels before the first request; uses the first blocks."""
        size = self._config.block_size
        count = min(tokens, self._caches[0].keys.shape[0] * size, len(self._rope[0])) - 1
        for length in (max(1, count), 1):
            request = Request(0, 0.0, [0] * length, length, 1,
                              blocks=list(range(-(-length // size))))
            self.execute([Chunk(request, 0, length)])

    def _forward(self, chunks):
        """Sampled tokens of the chunks that sample, in their order; single tokens come first."""
        ids = [token for chunk in chunks
               for token in chunk.request.tokens[chunk.start:chunk.start + chunk.count]]
        n_decode = sum(chunk.count == 1 for chunk in chunks)
        step = attention.Step.build(
            [(chunk.count, chunk.start + chunk.count, chunk.request.blocks) for chunk in chunks],
            self._caches[0], n_decode)
        angles = [table[step.positions] for table in self._rope]
        x = F.embedding(torch.tensor(ids, device=self._device), self._embedding)
        residual = torch.zeros_like(x)
        for layer, cache in zip(self._layers, self._caches):
            x, residual = kernels.add_rms_norm(x, residual, self._norm)
            x = self._attention(x, layer, cache, step, angles)
            x, residual = kernels.add_rms_norm(x, residual, self._norm)
            x = self._mlp(x, layer)
        last = self._rows_that_sample(chunks)
        if not last:
            return []
        x, _ = kernels.add_rms_norm(x[last], residual[last], self._norm)
        return kernels.greedy(F.linear(x, self._lm_head)).tolist()

    def _attention(self, x, layer, cache, step, angles):
        shape = self._shape
        heads = shape.num_attention_heads, shape.num_kv_heads, shape.num_kv_heads
        q, k, v = (part.view(len(x), -1, shape.head_dim) for part in F.linear(x, layer.qkv).split(
            [count * shape.head_dim for count in heads], dim=-1))
        if shape.qk_norm:
            q, k = (kernels.rms_norm(part, self._head_norm) for part in (q, k))
        q, k = (kernels.rotate(part, *angles) for part in (q, k))
        out = attention.attend(q, k, v, cache, step, self._config.backend, contiguous=False)
        return F.linear(out.flatten(1), layer.o)

    def _mlp(self, x, layer):
        shape = self._shape
        if not shape.num_experts:
            hidden = kernels.activation(F.linear(x, layer.gate_up), shape.gated_mlp)
            return F.linear(hidden, layer.down)
        weights, experts = kernels.route(x, layer.router, shape.experts_per_token)
        counts = torch.bincount(experts.flatten(), minlength=shape.num_experts).tolist()
        return kernels.experts_mlp(x, weights, experts, counts, layer.gate_up, layer.down,
                                   shape.gated_mlp)

    @staticmethod
    def _rows_that_sample(chunks):
        rows, end = [], 0
        for chunk in chunks:
            end += chunk.count
            if chunk.samples():
                rows.append(end - 1)
        return rows
