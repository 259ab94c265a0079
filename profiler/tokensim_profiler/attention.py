"""Causal attention of one iteration over cached keys and values.

An iteration has sequences of (new tokens, context length): decodes first (one new token each), then
prefill chunks. Keys and values are in blocks; each sequence has a block table.

    cache = KvCache(num_blocks, block_size, shape, "cuda", torch.bfloat16)
    step = Step.build([(1, 100, [0, 1]), (16, 16, [2])], cache, n_decode=1)
    out = attend(q, k, v, cache, step, backend="sdpa", contiguous=False)

Backends: `flash_attn` (the package, reads blocks in place: closest to vLLM), `sdpa`
(torch.nn.functional.scaled_dot_product_attention), `math` (softmax written out; PyTorch 1.13).
Without flash_attn, blocks are gathered into a tensor first, which costs a copy; `contiguous` says
that the blocks of the decodes lie one after another and equally long, so that a view does.
"""

import dataclasses
import importlib.util
import itertools
import math

import torch
import torch.nn.functional as F

from tokensim_profiler.errors import UserError

FLASH_BLOCK_SIZE = 256  # paged flash_attn 2 wants multiples of it


def resolve(backend, device, block_size=None):
    """(backend, block size): what `auto` and no block size stand for, and whether it can work."""
    if backend == "auto":
        if device == "cuda" and importlib.util.find_spec("flash_attn"):
            backend = "flash_attn"
        else:
            backend = "sdpa" if hasattr(F, "scaled_dot_product_attention") else "math"
    if backend == "sdpa" and not hasattr(F, "scaled_dot_product_attention"):
        raise UserError(f"--attention sdpa: PyTorch {torch.__version__} has none; take math")
    if backend != "flash_attn":
        return backend, block_size or 16
    if device != "cuda" or not importlib.util.find_spec("flash_attn"):
        raise UserError("--attention flash_attn: needs a GPU and the package flash_attn")
    if (block_size or FLASH_BLOCK_SIZE) % FLASH_BLOCK_SIZE:
        raise UserError(f"--block-size: flash_attn reads blocks of multiples of {FLASH_BLOCK_SIZE}")
    return backend, block_size or FLASH_BLOCK_SIZE


class KvCache:
    """Keys and values of one layer: (blocks, block_size, KV heads, head_dim) each."""

    def __init__(self, num_blocks, block_size, shape, device, dtype):
        size = (num_blocks, block_size, shape.num_kv_heads, shape.head_dim)
        self.keys = torch.zeros(size, device=device, dtype=dtype)
        self.values = torch.zeros(size, device=device, dtype=dtype)
        self.block_size = block_size

    def write(self, slots, keys, values):
        self.keys.flatten(0, 1)[slots] = keys
        self.values.flatten(0, 1)[slots] = values


@dataclasses.dataclass
class Step:
    """One iteration, prepared on the host once for all layers."""

    n_decode: int
    new_tokens: list          # of each sequence
    contexts: list            # of each sequence, with the new tokens
    positions: torch.Tensor   # of every new token
    slots: torch.Tensor       # where its keys and values go
    tables: torch.Tensor      # (sequences, blocks), padded with 0
    first_blocks: list        # host copy of the tables' first column
    decode_mask: torch.Tensor  # None when all decodes have the same context
    prefill_masks: list        # None where there is no history
    starts: torch.Tensor       # cumulative new tokens and contexts, for flash_attn
    context_starts: torch.Tensor

    @staticmethod
    def build(sequences, cache, n_decode):
        """`sequences`: (new tokens, context with them, blocks), the decodes first."""
        device = cache.keys.device
        news, contexts, blocks = (list(column) for column in zip(*sequences))
        positions, slots = _positions_and_slots(sequences, cache.block_size)
        width = max(len(table) for table in blocks)
        padded = [list(table) + [0] * (width - len(table)) for table in blocks]

        def integers(values, dtype=torch.int64):
            return torch.tensor(values, dtype=dtype, device=device)

        return Step(
            n_decode=n_decode, new_tokens=news, contexts=contexts,
            positions=integers(positions), slots=integers(slots),
            tables=integers(padded, torch.int32), first_blocks=[table[0] for table in blocks],
            decode_mask=_decode_mask(contexts[:n_decode], device),
            prefill_masks=[_prefill_mask(new, context, device)
                           for new, context in zip(news[n_decode:], contexts[n_decode:])],
            starts=integers(list(itertools.accumulate(news, initial=0)), torch.int32),
            context_starts=integers(list(itertools.accumulate(contexts, initial=0)), torch.int32))


def attend(q, k, v, cache, step, backend, contiguous):
    """(tokens, heads, head_dim) of the new tokens; their keys and values are cached first."""
    cache.write(step.slots, k, v)
    if backend == "flash_attn":
        return _flash(q, cache, step)
    kernel = _math if backend == "math" else F.scaled_dot_product_attention
    parts = []
    n = step.n_decode
    if n:
        parts.append(_decode(q[:n], cache, step, kernel, contiguous))
    start = n
    for index, mask in enumerate(step.prefill_masks, start=n):
        end = start + step.new_tokens[index]
        parts.append(_prefill(q[start:end], cache, step, index, mask, kernel, contiguous))
        start = end
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _decode(q, cache, step, kernel, contiguous):
    """The query heads that share a KV head are the rows of one small matrix: nothing is copied
    for grouped-query attention (arXiv:2305.13245)."""
    n, heads, head_dim = q.shape
    longest = max(step.contexts[:n])
    blocks = -(-longest // cache.block_size)
    kv_heads = cache.keys.shape[2]

    def read(stored):
        if contiguous:
            first = step.first_blocks[0]
            part = stored[first:first + n * blocks].view(n, -1, kv_heads, head_dim)
        else:
            part = stored[step.tables[:n, :blocks].long()].flatten(1, 2)
        return part[:, :longest].transpose(1, 2)

    grouped = q.view(n, kv_heads, heads // kv_heads, head_dim)
    out = kernel(grouped, read(cache.keys), read(cache.values), attn_mask=step.decode_mask)
    return out.reshape(n, heads, head_dim)


def _prefill(q, cache, step, index, mask, kernel, contiguous):
    tokens, heads, head_dim = q.shape
    context = step.contexts[index]
    blocks = -(-context // cache.block_size)
    kv_heads = cache.keys.shape[2]

    def read(stored):
        if contiguous:
            first = step.first_blocks[index]
            part = stored[first:first + blocks]
        else:
            part = stored[step.tables[index, :blocks].long()]
        part = part.flatten(0, 1)[:context].permute(1, 0, 2).unsqueeze(1)
        return part.expand(kv_heads, heads // kv_heads, context, head_dim)

    grouped = q.view(tokens, kv_heads, heads // kv_heads, head_dim).permute(1, 2, 0, 3)
    out = kernel(grouped, read(cache.keys), read(cache.values), attn_mask=mask,
                 is_causal=mask is None)
    return out.permute(2, 0, 1, 3).reshape(tokens, heads, head_dim)


def _flash(q, cache, step):
    """One call for the whole iteration, decodes and chunks together, as vLLM makes it."""
    from flash_attn import flash_attn_varlen_func  # optional package
    return flash_attn_varlen_func(
        q, cache.keys, cache.values, step.starts, step.context_starts,
        max(step.new_tokens), max(step.contexts), causal=True, block_table=step.tables)


def _math(q, k, v, attn_mask=None, is_causal=False):
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    if is_causal:
        attn_mask = _prefill_mask(q.shape[-2], k.shape[-2], q.device, always=True)
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -math.inf)
    return torch.softmax(scores.float(), dim=-1).to(q.dtype) @ v


def _positions_and_slots(sequences, block_size):
    positions, slots = [], []
    for new, context, blocks in sequences:
        for position in range(context - new, context):
            positions.append(position)
            slots.append(blocks[position // block_size] * block_size + position % block_size)
    return positions, slots


def _decode_mask(contexts, device):
    """(decodes, 1, 1, longest): true where a decode has context."""
    if len(set(contexts)) < 2:
        return None
    lengths = torch.tensor(contexts, device=device)[:, None]
    return (torch.arange(max(contexts), device=device)[None] < lengths)[:, None, None]


def _prefill_mask(new, context, device, always=False):
    """(new, context): row i sees the history and the first i + 1 new tokens."""
    if new == context and not always:
        return None  # is_causal says it without a mask
    return torch.ones(new, context, dtype=torch.bool, device=device).tril(context - new)
