"""The operators of a Llama-like decoder in plain PyTorch, shared by `measure` and `serve`.

Fused where PyTorch has a fused form, eager otherwise: slower than vLLM's hand-written kernels for
the small operators (norms, rotary embedding, activation), the same library GEMMs for the big ones.
"""

import torch
import torch.nn.functional as F

EPSILON = 1e-5
ROPE_BASE = 10000.0


def rms_norm(x, weight):
    """x / sqrt(mean(x^2) + eps) * weight over the last dimension (arXiv:1910.07467)."""
    if hasattr(F, "rms_norm"):  # PyTorch 2.4
        return F.rms_norm(x, (x.shape[-1],), weight, EPSILON)
    wide = x.float()
    wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + EPSILON)
    return wide.to(x.dtype) * weight


def add_rms_norm(x, residual, weight):
    """Adds the residual stream and normalises: (normalised, new residual)."""
    residual = x + residual
    return rms_norm(residual, weight), residual


def rope_table(length, head_dim, device, dtype):
    """Cosines and sines of the rotary embedding (arXiv:2104.09864) for positions below `length`."""
    exponents = torch.arange(0, head_dim, 2, device=device, dtype=torch.float32) / head_dim
    angles = torch.arange(length, device=device, dtype=torch.float32)[:, None]
    angles = angles * ROPE_BASE ** -exponents
    return angles.cos().to(dtype), angles.sin().to(dtype)


def rotate(x, cos, sin):
    """Rotates (tokens, heads, head_dim) by the angles of its positions, halves as pairs."""
    first, second = x.chunk(2, dim=-1)
    cos, sin = cos[:, None, :], sin[:, None, :]
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


def activation(x, gated):
    """SiLU(gate) * up (SwiGLU, arXiv:2002.05202), or ReLU without a gate."""
    if not gated:
        return F.relu(x)
    gate, up = x.chunk(2, dim=-1)
    return F.silu(gate) * up


def greedy(logits):
    """The most likely token of each row, compared in float32 as vLLM does."""
    return logits.float().argmax(dim=-1)


def route(x, router, experts_per_token):
    """Weights and indices of each token's experts: softmax over the best k (Mixtral)."""
    scores, experts = torch.topk(F.linear(x, router).float(), experts_per_token, dim=-1)
    return torch.softmax(scores, dim=-1).to(x.dtype), experts


def experts_mlp(x, weights, experts, counts, gate_up, down, gated):
    """Sum of the experts' MLPs, each on its tokens.

    `counts`: tokens of each expert, known on the host, so that nothing waits for the GPU. One GEMM
    pair per activated expert; a fused grouped GEMM would launch fewer kernels.
    """
    order = experts.flatten().argsort()
    tokens = order // experts.shape[1]
    scale = weights.flatten()[order][:, None]
    result = torch.zeros_like(x)
    start = 0
    for expert, count in enumerate(counts):
        if count == 0:
            continue
        rows = slice(start, start + count)
        hidden = activation(F.linear(x[tokens[rows]], gate_up[expert]), gated)
        result.index_add_(0, tokens[rows], F.linear(hidden, down[expert]) * scale[rows])
        start += count
    return result
