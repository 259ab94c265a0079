"""Options that `measure` and `serve` share."""

import argparse

from tokensim_profiler import shapes
from tokensim_profiler.errors import UserError


def add_model_options(parser):
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument("--model", metavar="NAME", help="a preset of TokenSim's configs/models")
    model.add_argument("--model-config", metavar="FILE",
                       help="a preset's YAML file or a Hugging Face config.json")
    parser.add_argument("--qk-norm", action=argparse.BooleanOptionalAction, default=None,
                        help="the model normalises queries and keys (default: Qwen3 does)")


def add_device_options(parser):
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--dtype", choices=("bf16", "fp16", "fp32"), default="bf16",
                        help="of weights, activations and KV cache (default: bf16)")
    parser.add_argument("--attention", choices=("auto", "flash_attn", "sdpa", "math"),
                        default="auto", help="kernels (default: the fastest installed)")
    parser.add_argument("--block-size", type=positive, metavar="N",
                        help="tokens of a KV block (default: 16; with flash_attn 256)")


def load_model(options):
    name = options.model or options.model_config
    if options.model and "." in name and name.endswith((".yaml", ".yml", ".json")):
        raise UserError(f"--model takes the name of a preset; did you mean --model-config {name}?")
    return shapes.load(name, options.qk_norm)


def import_torch(device):
    """PyTorch, or a message that says what to do."""
    try:
        import torch  # late: everything else works without it
    except ImportError as error:
        raise UserError(f"PyTorch cannot be imported ({error}). Install it: pip install torch, or "
                        "on Debian 12 apt-get install python3-torch (CPU only)") from error
    if device == "cuda" and not torch.cuda.is_available():
        raise UserError("PyTorch sees no GPU; --device cpu measures this machine's processor")
    return torch


def positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def positive_list(text):
    return sorted({positive(part) for part in text.split(",")})
