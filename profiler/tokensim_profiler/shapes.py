"""Dimensions of a model, read from a TokenSim preset or a Hugging Face config.json.

    shape = load("llama3.1-8b")            # configs/models/llama3.1-8b.yaml
    shape = load("my-model/config.json")   # any Hugging Face config of a Llama-like model
    rank = shape.rank(tp=2)                # what one of two tensor-parallel ranks computes
"""

import dataclasses
import json
import os
import pathlib

import yaml

from tokensim_profiler.errors import UserError

PRESETS = pathlib.Path(__file__).resolve().parents[2] / "configs" / "models"


@dataclasses.dataclass(frozen=True)
class ModelShape:
    """A decoder-only transformer. `intermediate_size` is that of one expert in a MoE model."""

    name: str
    num_layers: int
    hidden_size: int
    num_attention_heads: int
    num_kv_heads: int
    head_dim: int
    intermediate_size: int
    vocab_size: int
    gated_mlp: bool = True
    qk_norm: bool = False
    num_experts: int = 0
    experts_per_token: int = 0

    def __post_init__(self):
        for field in ("num_layers", "hidden_size", "num_attention_heads", "num_kv_heads",
                      "head_dim", "intermediate_size", "vocab_size"):
            if getattr(self, field) < 1:
                raise UserError(f"model {self.name}: {field} must be at least 1")
        if self.num_attention_heads % self.num_kv_heads:
            raise UserError(f"model {self.name}: num_kv_heads must divide num_attention_heads")
        if self.head_dim % 2:
            raise UserError(f"model {self.name}: head_dim must be even (rotary embedding)")
        if self.num_experts and not 1 <= self.experts_per_token <= self.num_experts:
            raise UserError(f"model {self.name}: experts_per_token must be 1 .. num_experts")

    def rank(self, tp):
        """What one rank of `tp` holds: Megatron-LM's split (arXiv:1909.08053, section 3).

        Heads, MLP columns and vocabulary are divided. With fewer KV heads than ranks each rank
        keeps a copy of one; a vocabulary that does not divide is rounded up.
        """
        if tp < 1:
            raise UserError("tp must be at least 1")
        if self.num_attention_heads % tp or self.intermediate_size % tp:
            raise UserError(f"model {self.name}: tp {tp} must divide num_attention_heads "
                            f"({self.num_attention_heads}) and intermediate_size "
                            f"({self.intermediate_size})")
        if self.num_kv_heads % tp and tp % self.num_kv_heads:
            raise UserError(f"model {self.name}: tp {tp} and num_kv_heads ({self.num_kv_heads}): "
                            "one must divide the other")
        return dataclasses.replace(
            self,
            num_attention_heads=self.num_attention_heads // tp,
            num_kv_heads=max(1, self.num_kv_heads // tp),
            intermediate_size=self.intermediate_size // tp,
            vocab_size=-(-self.vocab_size // tp))

    def dense_layers(self):
        """Names of the operators in dense.csv, in the order in which a token meets them."""
        names = ["embedding", "layernorm", "qkv_proj"]
        names += ["qk_norm"] if self.qk_norm else []
        names += ["rotary_emb", "o_proj"]
        names += [] if self.num_experts else ["gate_up_proj", "act_fn", "down_proj"]
        return names + ["final_layernorm"]

    def kv_bytes_per_token(self, bytes_per_element):
        """Keys and values of one token in one layer."""
        return 2 * self.num_kv_heads * self.head_dim * bytes_per_element


PER_SEQUENCE_LAYERS = ("lm_head", "sampler")


def load(name_or_path, qk_norm=None):
    """A preset of configs/models by name, or a YAML or JSON file. `qk_norm` overrides the guess."""
    path = pathlib.Path(name_or_path)
    if path.suffix not in (".yaml", ".yml", ".json"):
        path = PRESETS / f"{name_or_path}.yaml"
        if not path.exists():
            raise UserError(f"no model '{name_or_path}'; known: {', '.join(presets()) or 'none'}. "
                            "Give a file with --model-config otherwise")
    try:
        text = path.read_text(encoding="utf-8")
        fields = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except OSError as error:
        raise UserError(f"{path}: {os.strerror(error.errno)}") from error
    except (ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path}: {error}") from error
    if not isinstance(fields, dict):
        raise UserError(f"{path}: must be a mapping of a model's dimensions")
    try:
        shape = _from_hugging_face(fields, path) if "num_hidden_layers" in fields else _from_preset(
            fields, path)
    except KeyError as error:
        raise UserError(f"{path}: {error.args[0]} is missing") from error
    except (TypeError, ValueError) as error:
        raise UserError(f"{path}: {error}") from error
    return shape if qk_norm is None else dataclasses.replace(shape, qk_norm=qk_norm)


def presets():
    """Names of the presets whose layers are all alike, when this is run from TokenSim's tree."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml")
                  if "layers" not in yaml.safe_load(path.read_text(encoding="utf-8")))


def _from_preset(fields, path):
    if "layers" in fields:
        raise ValueError("its layers are not all alike; the profiler measures one kind of layer")
    moe = fields.get("moe") or {}
    name = str(fields.get("name", path.stem))
    heads = int(fields["num_attention_heads"])
    return ModelShape(
        name=name,
        num_layers=int(fields["num_layers"]),
        hidden_size=int(fields["hidden_size"]),
        num_attention_heads=heads,
        num_kv_heads=int(fields.get("num_kv_heads", heads)),
        head_dim=int(fields.get("head_dim", int(fields["hidden_size"]) // heads)),
        intermediate_size=int(fields["intermediate_size"]),
        vocab_size=int(fields["vocab_size"]),
        gated_mlp=bool(fields.get("gated_mlp", True)),
        qk_norm=name.lower().startswith("qwen3"),  # presets have no field for it
        num_experts=int(moe.get("num_experts", 0)),
        experts_per_token=int(moe.get("experts_per_token", 0)))


def _from_hugging_face(fields, path):
    heads = int(fields["num_attention_heads"])
    experts = int(fields.get("num_local_experts") or fields.get("num_experts") or 0)
    width = fields.get("moe_intermediate_size") if experts else None
    width = width or fields.get("intermediate_size") or fields.get("ffn_dim")
    if width is None:
        raise KeyError("intermediate_size")
    return ModelShape(
        name=str(fields.get("_name_or_path") or path.parent.name or path.stem),
        num_layers=int(fields["num_hidden_layers"]),
        hidden_size=int(fields["hidden_size"]),
        num_attention_heads=heads,
        num_kv_heads=int(fields.get("num_key_value_heads") or heads),
        head_dim=int(fields.get("head_dim") or int(fields["hidden_size"]) // heads),
        intermediate_size=int(width),
        vocab_size=int(fields["vocab_size"]),
        gated_mlp="ffn_dim" not in fields,  # OPT: up, ReLU, down
        qk_norm=str(fields.get("model_type", "")).startswith("qwen3"),
        num_experts=experts,
        experts_per_token=int(fields.get("num_experts_per_tok", 0) if experts else 0))
