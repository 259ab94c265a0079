"""What is fitted: the kernels, the sizes that explain their efficiency, and their rooflines.

The formulas of flops and bytes are those of engine/compute/operators.h.
"""

import dataclasses
import os

import numpy as np

from kernel_fit.tables import read_table, select

ACTIVATION_BYTES = 2

# Kernels change their tiles at multiples of 16 to 128 rows: one row more costs another tile.
GEMM_ROWS = [1, 8, 16, 17, 32, 33, 48, 64, 65, 96, 97, 128, 129, 192, 193, 256, 257, 512, 513, 768,
             769, 1024, 1025, 1536, 1537, 2048, 2049, 3072, 3073, 4096, 4097, 8192, 32768]
GEMM_WEIGHTS = [32, 128, 256, 512, 1024, 2048, 3072, 4096, 6144, 8192, 16384, 65536]
GROUPS = [1, 2, 4, 8, 16, 64]
HEAD_DIMS = [64, 128, 256]
PROMPT_HEADS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 16384]
PROMPTS = [1, 16, 32, 64, 128, 256, 512, 1024, 1536, 2048, 3072, 4096, 8192, 16384]
SEQUENCE_HEADS = [1, 4, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384]
CONTEXTS = [2, 16, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 32768, 131072]
# Steps of two where kernels change: from one shot to two at 256 or 512 KiB, to NCCL above 4 MiB.
MESSAGES = ([4.0**i for i in range(4, 8)] + [2.0**i for i in range(16, 25)] +
            [4.0**i for i in range(13, 16)])
ROWS_PER_EXPERT = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384]
ACTIVE_EXPERTS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
EXPERT_HIDDEN = [2048, 4096, 8192]
EXPERT_WIDTHS = [32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 4096, 8192, 16384]


@dataclasses.dataclass
class Problems:
    """Measured kernels, one a row."""

    sizes: dict  # by axis
    flops: np.ndarray  # of kernels in a row: a column for each
    bytes: np.ndarray
    seconds: np.ndarray
    shapes: np.ndarray  # number of the shape: what a model fixes, whatever the batch

    def __len__(self):
        return len(self.seconds)

    def take(self, rows):
        return Problems({name: column[rows] for name, column in self.sizes.items()},
                        self.flops[rows], self.bytes[rows], self.seconds[rows], self.shapes[rows])


@dataclasses.dataclass
class Kernel:
    """kernel, dtype: of the schema. table: part of the name of a file. read: table -> Problems."""

    kernel: str
    dtype: str
    table: str
    axes: dict
    read: object
    peak: str = "peak_flops"
    bandwidth: str = "memory_bandwidth_bytes_per_second"
    # Files of devices, "version__table", where others are not to be trusted or have no such rows.
    files: dict = dataclasses.field(default_factory=dict)
    version: str = ""  # of the table; default: the device's
    smoothness: float = 0.01  # weight of the surface's curvature

    def efficiency(self, problems, figures):
        """Share of the roofline's speed."""
        return self.roofline(problems, figures) / problems.seconds

    def roofline(self, problems, figures):
        each = np.maximum(problems.flops / figures[self.peak],
                          problems.bytes / figures[self.bandwidth])
        return each if each.ndim == 1 else each.sum(axis=1)


def _shapes(*columns):
    return np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)[1].ravel()


def _gemm(dtype, weight_bytes, multiple=1):
    """multiple: of what rows must be; engines pad batches to such sizes."""
    def read(table):
        t = select(table, gemm_dtype=dtype)
        padded = t["m"] % multiple == 0
        t = {name: column[padded] for name, column in t.items()}
        m, n, k = t["m"], t["n"], t["k"]
        return Problems(
            {"rows": m, "outer": n, "inner": k}, 2 * m * n * k,
            weight_bytes * n * k + ACTIVATION_BYTES * m * (n + k), t["latency"] * 1e-3,
            _shapes(n, k))

    return read


def _attention_sizes(table):
    t = select(table, attn_dtype="bfloat16", kv_cache_dtype="bfloat16", window_size=0)
    common = np.isin(t["head_dim"], HEAD_DIMS)  # other sizes have kernels of their own
    t = {name: column[common] for name, column in t.items()}
    heads, kv_heads, dim = t["num_heads"], t["num_key_value_heads"], t["head_dim"]
    kv_bytes = 2 * dim * kv_heads * 2
    row_bytes = 2 * dim * heads * ACTIVATION_BYTES + kv_bytes
    return t, heads, kv_heads, dim, kv_bytes, row_bytes


def _prefill_attention(table):
    t, heads, kv_heads, dim, kv_bytes, row_bytes = _attention_sizes(table)
    prompts, length = t["batch_size"], t["isl"]
    return Problems(
        {"prompt_heads": prompts * heads, "prompt": length, "group": heads / kv_heads,
         "head_dim": dim},
        4 * dim * heads * prompts * length * (length + 1) / 2,
        prompts * length * (kv_bytes + row_bytes), t["latency"] * 1e-3,
        _shapes(heads, kv_heads, dim))


def _decode_attention(table):
    t, heads, kv_heads, dim, kv_bytes, row_bytes = _attention_sizes(table)
    sequences, context = t["batch_size"], t["step"] + 1
    return Problems(
        {"sequence_kv_heads": sequences * kv_heads, "context": context,
         "group": heads / kv_heads, "kv_heads": kv_heads, "head_dim": dim},
        4 * dim * heads * sequences * context,
        sequences * (context * kv_bytes + row_bytes), t["latency"] * 1e-3,
        _shapes(heads, kv_heads, dim))


def _all_reduce(table):
    t = select(table, backend="vllm_graph")
    sent = t["message_size"] * ACTIVATION_BYTES
    return Problems({"devices": t["num_gpus"], "bytes": sent}, 0 * sent, sent,
                    t["latency"] * 1e-3, _shapes(sent))


def _moe(dtype, weight_bytes):
    """The grouped GEMMs of a device, each at its own roofline; the time is that of the block.

    Of balanced routers, which choose experts in turn: models are trained towards balance, and
    Mixtral on two H100 is met within 5 % by these, 10 % above by those of power laws.
    """
    def read(table):
        t = select(table, moe_dtype=dtype, distribution="balanced", moe_ep_size=1)
        tokens, hidden, chosen, experts = (
            t[name] for name in ("num_tokens", "hidden_size", "topk", "num_experts"))
        width = t["inter_size"] / t["moe_tp_size"]
        routed = tokens * chosen
        active = np.minimum(experts, routed)
        up = 2 * width
        outer_inner = np.stack([hidden * up, width * hidden], axis=1)
        moved = np.stack([hidden + up, width + hidden], axis=1) * ACTIVATION_BYTES
        return Problems(
            {"rows_per_expert": routed / active, "active_experts": active, "hidden": hidden,
             "width": width},
            2 * routed[:, None] * outer_inner,
            weight_bytes * active[:, None] * outer_inner + routed[:, None] * moved,
            t["latency"] * 1e-3, _shapes(hidden, t["inter_size"], experts))

    return read


def _gemm_axes():
    return {"rows": GEMM_ROWS, "outer": GEMM_WEIGHTS, "inner": GEMM_WEIGHTS}


def _moe_axes():
    return {"rows_per_expert": ROWS_PER_EXPERT, "active_experts": ACTIVE_EXPERTS,
            "hidden": EXPERT_HIDDEN, "width": EXPERT_WIDTHS}


FP8_BLOCK_BYTES = 1 + 4 / (128 * 128)
NVFP4_BYTES = 0.5 + 1 / 16
MXFP4_BYTES = 0.5 + 1 / 32
# "Which file to trust" in the README of the data: the fp8 rows of H100 and H200 in the newest tables
# are of a slow kernel, and fp8_block GEMMs were timed with a graph in tables of their own alone.
# fp8_block GEMMs copy their inputs when the rows are no multiple of 4 (5 us and more): batches under
# CUDA graphs are, and so are full chunks of prompts.
KERNELS = [
    Kernel("gemm", "bf16", "gemm", _gemm_axes(), _gemm("bfloat16", 2), smoothness=0.02),
    Kernel("gemm", "fp8", "gemm", _gemm_axes(), _gemm("fp8", 1), peak="peak_fp8_flops",
           smoothness=0.02),
    Kernel("gemm", "fp8_block", "gemm_fp8_block", _gemm_axes(),
           _gemm("fp8_block", FP8_BLOCK_BYTES, multiple=4), peak="peak_fp8_flops",
           version="0.19.0", smoothness=0.02),
    Kernel("gemm", "nvfp4", "gemm", _gemm_axes(), _gemm("nvfp4", NVFP4_BYTES),
           peak="peak_fp4_flops", smoothness=0.02),
    Kernel("prefill_attention", "bf16", "context_attention",
           {"prompt_heads": PROMPT_HEADS, "prompt": PROMPTS, "group": GROUPS,
            "head_dim": HEAD_DIMS}, _prefill_attention),
    Kernel("decode_attention", "bf16", "generation_attention",
           {"sequence_kv_heads": SEQUENCE_HEADS, "context": CONTEXTS, "group": GROUPS,
            "kv_heads": [1, 2, 8], "head_dim": HEAD_DIMS}, _decode_attention),
    Kernel("moe", "bf16", "moe", _moe_axes(), _moe("bfloat16", 2), smoothness=0.03),
    Kernel("moe", "fp8", "moe", _moe_axes(), _moe("fp8", 1), peak="peak_fp8_flops",
           files={"h100_sxm": "0.19.0__moe_fp8", "h200_sxm": "0.22.0__moe_fp8"}, smoothness=0.03),
    Kernel("moe", "fp8_block", "moe", _moe_axes(), _moe("fp8_block", FP8_BLOCK_BYTES),
           peak="peak_fp8_flops", smoothness=0.03),
    Kernel("moe", "nvfp4", "moe", _moe_axes(), _moe("nvfp4", NVFP4_BYTES), peak="peak_fp4_flops",
           smoothness=0.03),
    Kernel("moe", "mxfp4", "moe", _moe_axes(), _moe("w4a16_mxfp4", MXFP4_BYTES),
           smoothness=0.03),
    Kernel("all_reduce", "bf16", "custom_allreduce", {"devices": [2, 4, 8], "bytes": MESSAGES},
           _all_reduce, bandwidth="interconnect.bandwidth_bytes_per_second"),
]
# preset: (name in the tables, version of vLLM, devices have NVLink)
DEVICES = {
    "a100-80g": ("a100_sxm", "0.14.0", True),
    "b200": ("b200_sxm", "0.24.0", True),
    "b300": ("b300_sxm", "0.24.0", True),
    "gb200": ("gb200", "0.24.0", True),
    "gb300": ("gb300", "0.24.0", True),
    "h100": ("h100_sxm", "0.24.0", True),
    "h200": ("h200_sxm", "0.24.0", True),
    "l40s": ("l40s", "0.24.0", False),
    "rtx-pro-6000": ("rtx_pro_6000_server", "0.24.0", False),
    "rtx-pro-6000-server": ("rtx_pro_6000_server", "0.24.0", False),
}


# (kernel, dtype) of surfaces that configs/calibrations were fitted beside. They stay as they are, on
# coarser grids, until the calibrations are fitted again.
CALIBRATED = {("gemm", "bf16"), ("gemm", "fp8"), ("prefill_attention", "bf16"),
              ("decode_attention", "bf16"), ("moe", "bf16"), ("all_reduce", "bf16")}
KEPT = {"h100": CALIBRATED,
        "rtx-pro-6000": CALIBRATED - {("moe", "bf16")}}  # which it did not have


def file_of(kernel, device):
    """(version, table) of the file with the measurements of a kernel."""
    name, version, _ = DEVICES[device]
    if name in kernel.files:
        return kernel.files[name].split("__")
    return kernel.version or version, kernel.table


def trimmed_axes(kernel, problems):
    """Grid points beyond what was measured on a device say nothing: the edges take their place."""
    axes = {}
    for name, values in kernel.axes.items():
        low, high = problems.sizes[name].min(), problems.sizes[name].max()
        axes[name] = [v for v in values if low <= v <= high] or [low]
    return axes


def load(kernel, device, data, figures):
    """Problems of a kernel on a device; None where there is no table, or it says nothing of it, or
    the preset has no peak of the type."""
    name, _, nvlink = DEVICES[device]
    if kernel.peak not in figures:
        return None
    if kernel.kernel == "all_reduce" and not nvlink:
        return None  # over PCIe: a fact of the host, not of the device
    version, table = file_of(kernel, device)
    path = os.path.join(data, "kernels", f"{name}__vllm_{version}__{table}_perf.csv.gz")
    if not os.path.exists(path):
        return None
    problems = kernel.read(read_table(path))
    return problems if len(problems) else None
