"""What this machine is: names and free memory, for meta.yaml and for the size of the KV cache."""

import os
import re


def describe(torch, device):
    """gpu, cuda_version and torch_version of meta.yaml."""
    on_gpu = device == "cuda"
    return {"torch_version": str(torch.__version__),
            "cuda_version": str(torch.version.cuda) if on_gpu else "none",
            "gpu": torch.cuda.get_device_name() if on_gpu else f"CPU ({_cpu_name()})"}


def short_name(gpu):
    """RTX4090 for 'NVIDIA GeForce RTX 4090'."""
    words = re.sub(r"NVIDIA|GeForce|AMD|Tesla|\(.*?\)", "", gpu).split()
    return "".join(re.sub(r"[^A-Za-z0-9]", "", word) for word in words) or "gpu"


def free_bytes(torch, device):
    if device == "cuda":
        return torch.cuda.mem_get_info()[0]
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def max_kv_tokens(free, kv_bytes_per_token, largest):
    """None when `largest` tokens fit in 40 % of the memory; else the power of two that does.

    40 %: weights, activations and the copy that attention without flash_attn makes come on top.
    """
    fitting = int(0.4 * free / kv_bytes_per_token)
    return None if fitting >= largest else 1 << max(0, fitting.bit_length() - 1)


def _cpu_name():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass  # not Linux
    return "unknown"
