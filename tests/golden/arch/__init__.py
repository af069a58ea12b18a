"""What make.py knows of an architecture. One module each: its tiny models, and how llama.cpp's converter sees it."""

import importlib
import pkgutil
from dataclasses import dataclass, field

import gguf
import numpy as np
import torch


class Arch:
    """How llama.cpp's converter writes a model. Most decoders are like this; a module overrides what is its own."""

    gguf: gguf.MODEL_ARCH
    f32 = ()  # pieces of the names of matrices that stay f32 in every file

    def metadata(self, w, config, given):
        """Writes the architecture's keys. `config` is parsed, `given` the text of config.json."""
        w.add_context_length(config.max_position_embeddings)
        w.add_embedding_length(config.hidden_size)
        w.add_block_count(config.num_hidden_layers)
        w.add_feed_forward_length(config.intermediate_size)
        w.add_head_count(config.num_attention_heads)
        w.add_head_count_kv(config.num_key_value_heads)
        if "rms_norm_eps" in given:
            w.add_layer_norm_rms_eps(config.rms_norm_eps)
        for key in {"layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps"} & given.keys():
            w.add_layer_norm_eps(getattr(config, key))
        rope = config.rope_parameters
        w.add_rope_freq_base(rope["rope_theta"])
        head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        w.add_rope_dimension_count(int(head_dim * rope.get("partial_rotary_factor", 1)))
        if "head_dim" in given:
            w.add_key_length(head_dim)
            w.add_value_length(head_dim)
        if rope["rope_type"] in ("linear", "yarn"):
            w.add_rope_scaling_type(gguf.RopeScalingType(rope["rope_type"]))
            w.add_rope_scaling_factor(rope["factor"])
        if rope["rope_type"] == "yarn":
            w.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])

    def stored(self, name, tensor):
        """A parameter as hubs have it: [(name, tensor)]. It may only move numbers."""
        return [(name, tensor)]

    def rearranged(self, config, name, array):
        """A weight as GGUF has it: [(name, array)]. What comes back under one name is put together by rows. It may only
        move numbers: make.py finds the way back by moving indices."""
        return [(name, array)]

    def offset(self, name):
        """What the converter adds to a weight: 1 to Gemma's norms."""
        return 0

    def tensors(self, hf, plain):
        """{name: array} of what only GGUF has as tensors. `plain(**fields)` is the model with other fields."""
        return {}

    def in_gguf(self, config):
        """config.json, less what a GGUF file of this architecture cannot say."""
        return config

    def tensor_name(self, config, name):
        layers = config.get("num_hidden_layers") or config["n_layer"]
        found = gguf.get_tensor_name_map(self.gguf, layers).get_name(name, try_suffixes=(".weight", ".bias"))
        return found or self.refuse(name)

    def refuse(self, name):
        raise KeyError(f"{self.gguf}: GGUF has no name for {name}")


class Permuted(Arch):
    """Llama's family: rows of q and k go from half-split to adjacent RoPE pairs."""

    def rearranged(self, config, name, array):
        heads = {"q_proj": config["num_attention_heads"], "k_proj": config["num_key_value_heads"]}
        for part, n in heads.items():
            if part in name:
                return [(name, interleave(array, n))]
        return [(name, array)]


def interleave(array, heads):
    """Rows of a q or k projection, or its bias, so that the two halves of each head alternate."""
    halves = array.reshape(heads, 2, array.shape[0] // heads // 2, -1)
    return np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(array.shape)


def tiny(**fields):
    """Fields of config.json that most decoders share: 3 layers, 4 heads of 8 on 2 of keys and values."""
    base = dict(
        hidden_act="silu", hidden_size=32, intermediate_size=32, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=128, vocab_size=80, tie_word_embeddings=True,
        rope_theta=10000.0)
    config = base | fields
    return config | dict(bos_token_id=config["vocab_size"] - 1, eos_token_id=config["vocab_size"] - 1)


@dataclass
class Case:
    """What is computed of a model. `context`: positions the engine is opened with, where that changes the numbers."""

    lengths: tuple = (1, 9, 48)
    shown: int | None = 4  # rows of logits kept of each sequence, spread to its end; None: all
    prompt: int = 5  # ids that the greedy continuation follows
    context: int | None = None


@dataclass
class Model:
    """One fixture. `config` is the text of config.json, in the spelling that hubs have."""

    name: str
    arch: Arch
    config: dict
    stored: torch.dtype = torch.bfloat16  # type of the safetensors file; the weights are rounded to it first
    gguf: tuple = ("f32",)
    shards: int = 1
    gguf_version: int = 3
    bare_names: bool = False  # gpt2: tensor names without the `transformer.` prefix
    cases: list = field(default_factory=lambda: [Case()])
    theirs: bool = True  # transformers' GGUF loader can read the file
    published: dict | None = None  # config.json itself, where `config` is only the part about the language model
    safetensors: bool = True
    mixture: dict = field(default_factory=dict)  # {name in GGUF: type} for mixed.gguf
    agreed: int | None = None  # positions up to which llama.cpp computes the same; None: all


def every_model():
    """The models of all modules here."""
    modules = [importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)]
    return [model for module in modules for model in module.MODELS]
