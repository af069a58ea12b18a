"""StableLM and StableLM 2: LayerNorm, partial rotary positions, and what only some sizes have."""

import re

import gguf

from . import Arch, Model, tiny


class StableLm(Arch):
    gguf = gguf.MODEL_ARCH.STABLELM

    def metadata(self, w, config, given):
        super().metadata(w, config, given)
        # The converter takes a switch that is left out for one that is on; what counts is whether there is a second norm.
        w.add_parallel_residual(given.get("use_parallel_residual", True))

    def rearranged(self, config, name, array):
        """The norms of a layer's heads become one matrix."""
        stacked = re.sub(r"layernorm\.norms\.\d+", "layernorm", name)
        return [(stacked, array[None])] if stacked != name else [(name, array)]


def stablelm(**fields):
    base = dict(
        architectures=["StableLmForCausalLM"], model_type="stablelm", layer_norm_eps=1e-5, num_hidden_layers=2,
        tie_word_embeddings=False)
    return tiny(**base | fields)


MODELS = [
    Model(  # as 1.6B: biases on q, k and v; one sublayer after the other, which GGUF's metadata deny
        "stablelm", StableLm(),
        stablelm(num_attention_heads=2, num_key_value_heads=2, partial_rotary_factor=0.25, use_qkv_bias=True,
                 qk_layernorm=False)),
    Model(  # as 12B: sublayers side by side, a norm for each head, both of which transformers' GGUF loader leaves out
        "stablelm-parallel", StableLm(),
        stablelm(partial_rotary_factor=0.5, use_qkv_bias=False, qk_layernorm=True, use_parallel_residual=True),
        theirs=False),
]
