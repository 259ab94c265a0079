#!/usr/bin/env python3
"""Writes presets of configs/models from the config.json files of checkpoints.

    scripts/model_presets.py [NAME ...]    write the presets, all or those named
    scripts/model_presets.py --check       exit 1 if a committed preset differs

The data is $TOKENSIM_DATA/model_configs, by default below ../shared/data; without it the exit status is 77.

Each is what `tokensim model import` makes of the file, with a comment that names the source. Presets that are not in PRESETS are written by hand.
"""
import argparse
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Preset: config without _config.json, name, data type of the weights of layers ("" as in the file).
PRESETS = {
    "deepseek-r1": ("deepseek-ai--DeepSeek-R1", "DeepSeek-R1", ""),
    "deepseek-v2-lite": ("deepseek-ai--DeepSeek-V2-Lite", "DeepSeek-V2-Lite", ""),
    "deepseek-v3": ("deepseek-ai--DeepSeek-V3", "DeepSeek-V3", ""),
    "deepseek-v3.1-nvfp4": ("nvidia--DeepSeek-V3.1-NVFP4", "DeepSeek-V3.1 NVFP4", ""),
    "deepseek-v3.2": ("deepseek-ai--DeepSeek-V3.2", "DeepSeek-V3.2", ""),
    "deepseek-v4-flash": ("deepseek-ai--DeepSeek-V4-Flash", "DeepSeek-V4-Flash", ""),
    "deepseek-v4-pro": ("deepseek-ai--DeepSeek-V4-Pro", "DeepSeek-V4-Pro", ""),
    "gemma3-12b": ("google--gemma-3-12b-it", "Gemma 3 12B", ""),
    "gemma3-27b": ("google--gemma-3-27b-it", "Gemma 3 27B", ""),
    "gemma4-26b-a4b": ("google--gemma-4-26B-A4B", "Gemma 4 26B-A4B", ""),
    "gemma4-31b": ("nvidia--Gemma-4-31B-IT-NVFP4", "Gemma 4 31B", "bf16"),
    "glm-4.5": ("zai-org--GLM-4.5", "GLM-4.5", ""),
    "glm-4.5-air": ("zai-org--GLM-4.5-Air", "GLM-4.5-Air", ""),
    "glm-5": ("zai-org--GLM-5", "GLM-5", ""),
    "glm-5-fp8": ("zai-org--GLM-5-FP8", "GLM-5 FP8", ""),
    "glm-5.2": ("zai-org--GLM-5.2", "GLM-5.2", ""),
    "gpt-oss-120b": ("openai--gpt-oss-120b", "gpt-oss-120b", ""),
    "gpt-oss-20b": ("openai--gpt-oss-20b", "gpt-oss-20b", ""),
    "granite-5-230b": ("ibm-granite--granite-5.0-230b-rl-preview", "Granite 5.0 230B", ""),
    "kimi-k2": ("moonshotai--Kimi-K2-Instruct", "Kimi K2", ""),
    "kimi-k2.5": ("moonshotai--Kimi-K2.5", "Kimi K2.5", ""),
    "kimi-k3": ("moonshotai--Kimi-K3", "Kimi K3", ""),
    "llama3.1-405b": ("meta-llama--Meta-Llama-3.1-405B", "Llama-3.1-405B", ""),
    "llama3.1-405b-fp8": ("meta-llama--Llama-3.1-405B-Instruct-FP8", "Llama-3.1-405B FP8", ""),
    "llama3.2-1b": ("meta-llama--Llama-3.2-1B-Instruct", "Llama-3.2-1B", ""),
    "llama3.3-70b": ("meta-llama--Llama-3.3-70B-Instruct", "Llama-3.3-70B", ""),
    "llama4-maverick": ("meta-llama--Llama-4-Maverick-17B-128E-Instruct", "Llama 4 Maverick", ""),
    "llama4-scout": ("meta-llama--Llama-4-Scout-17B-16E-Instruct", "Llama 4 Scout", ""),
    "mimo-7b": ("XiaomiMiMo--MiMo-7B-Base", "MiMo-7B", ""),
    "mimo-v2-flash": ("XiaomiMiMo--MiMo-V2-Flash", "MiMo-V2-Flash", ""),
    "minimax-m2.5": ("MiniMaxAI--MiniMax-M2.5", "MiniMax-M2.5", ""),
    "minimax-m2.7": ("MiniMaxAI--MiniMax-M2.7", "MiniMax-M2.7", ""),
    "minimax-m3": ("MiniMaxAI--MiniMax-M3", "MiniMax-M3", ""),
    "mistral-medium-3.5": ("mistralai--Mistral-Medium-3.5-128B", "Mistral Medium 3.5 128B", ""),
    "mistral-nemo-12b": ("mistralai--Mistral-Nemo-Instruct-2407", "Mistral NeMo 12B", ""),
    "mistral-small-3.1-24b": (
        "mistralai--Mistral-Small-3.1-24B-Instruct-2503", "Mistral Small 3.1 24B", ""),
    "mixtral-8x22b": ("mistralai--Mixtral-8x22B-v0.1", "Mixtral-8x22B", ""),
    "nemotron-3-nano-30b-a3b": (
        "nvidia--NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "Nemotron 3 Nano 30B-A3B", ""),
    "nemotron-3-super-120b-a12b": (
        "nvidia--NVIDIA-Nemotron-3-Super-120B-A12B-FP8", "Nemotron 3 Super 120B-A12B", ""),
    "nemotron-3-ultra-550b-a55b": (
        "nvidia--NVIDIA-Nemotron-3-Ultra-550B-A55B-BF16", "Nemotron 3 Ultra 550B-A55B", ""),
    "nemotron-h-56b": ("nvidia--Nemotron-H-56B-Base-8K", "Nemotron-H-56B", ""),
    "nemotron-super-49b": (
        "nvidia--Llama-3_3-Nemotron-Super-49B-v1", "Llama-3.3 Nemotron Super 49B", ""),
    "phi-4": ("microsoft--phi-4", "Phi-4", ""),
    "phi-mini-moe": ("microsoft--Phi-mini-MoE-instruct", "Phi-mini-MoE", ""),
    "qwen2.5-72b": ("Qwen--Qwen2.5-72B-Instruct", "Qwen2.5-72B", ""),
    "qwen2.5-7b": ("Qwen--Qwen2.5-7B-Instruct", "Qwen2.5-7B", ""),
    "qwen3-0.6b": ("Qwen--Qwen3-0.6B", "Qwen3-0.6B", ""),
    "qwen3-1.7b": ("Qwen--Qwen3-1.7B", "Qwen3-1.7B", ""),
    "qwen3-14b": ("Qwen--Qwen3-14B", "Qwen3-14B", ""),
    "qwen3-235b-a22b": ("Qwen--Qwen3-235B-A22B", "Qwen3-235B-A22B", ""),
    "qwen3-235b-a22b-fp8": ("Qwen--Qwen3-235B-A22B-FP8", "Qwen3-235B-A22B FP8", ""),
    "qwen3-235b-a22b-nvfp4": ("nvidia--Qwen3-235B-A22B-NVFP4", "Qwen3-235B-A22B NVFP4", ""),
    "qwen3-4b": ("Qwen--Qwen3-VL-4B-Instruct", "Qwen3-4B", ""),
    "qwen3-8b": ("Qwen--Qwen3-8B", "Qwen3-8B", ""),
    "qwen3-coder-480b-a35b": (
        "Qwen--Qwen3-Coder-480B-A35B-Instruct", "Qwen3-Coder-480B-A35B", ""),
    "qwen3-next-80b-a3b": ("Qwen--Qwen3-Next-80B-A3B-Instruct", "Qwen3-Next-80B-A3B", ""),
    "qwen3.5-122b-a10b": ("Qwen--Qwen3.5-122B-A10B", "Qwen3.5-122B-A10B", ""),
    "qwen3.5-27b": ("Qwen--Qwen3.5-27B", "Qwen3.5-27B", ""),
    "qwen3.5-35b-a3b": ("Qwen--Qwen3.5-35B-A3B", "Qwen3.5-35B-A3B", ""),
    "qwen3.5-397b-a17b": ("Qwen--Qwen3.5-397B-A17B", "Qwen3.5-397B-A17B", ""),
    "step-3.7-flash": ("stepfun-ai--Step-3.7-Flash", "Step-3.7-Flash", ""),
    "yi-34b": ("01-ai--Yi-34B", "Yi-34B", ""),
}


EXIT_SKIPPED = 77


def text_of(preset, tokensim, configs):
    config, name, dtype = PRESETS[preset]
    command = [tokensim, "model", "import", configs / f"{config}_config.json"]
    command += ["--dtype", dtype] if dtype else []
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    sizes, model = text.split("\n", 1)
    lines = [f"name: {name}" if line.startswith("name: ") else line for line in model.split("\n")]
    repository = config.replace("--", "/", 1)
    url = f"https://huggingface.co/{repository}/blob/main/config.json"
    return f"# {url}, read by scripts/model_presets.py\n{sizes}\n" + "\n".join(lines)


def main():
    data = os.environ.get("TOKENSIM_DATA", ROOT.parent / "shared/data")
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--tokensim", default=ROOT / "build/release/bin/tokensim")
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    configs = pathlib.Path(data) / "model_configs"
    if not configs.is_dir():
        print(f"no {configs}: set TOKENSIM_DATA to the folder of measured data", file=sys.stderr)
        return EXIT_SKIPPED
    differ = 0
    for preset in args.names or PRESETS:
        if preset not in PRESETS:
            print(f"no preset {preset}; known are {', '.join(PRESETS)}", file=sys.stderr)
            return 2
        text = text_of(preset, args.tokensim, configs)
        path = ROOT / "configs/models" / f"{preset}.yaml"
        if not args.check:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            print(f"{path} differs", file=sys.stderr)
            differ += 1
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
