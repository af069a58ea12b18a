"""Phi 3 and 4: fused projections, a sliding window (which llama.cpp reads but does not apply), LongRoPE."""

import math

import gguf
import numpy as np

from . import Arch, Case, Model, tiny


class Phi3(Arch):
    gguf = gguf.MODEL_ARCH.PHI3

    def metadata(self, w, config, given):
        super().metadata(w, config, given)
        w.add_rope_scaling_orig_ctx_len(config.original_max_position_embeddings)
        w.add_sliding_window(config.sliding_window or 0)
        if "long_factor" in config.rope_parameters:
            original = config.original_max_position_embeddings
            factor = config.max_position_embeddings / original
            w.add_rope_scaling_attn_factors(math.sqrt(1 + math.log(factor) / math.log(original)))

    def tensors(self, hf, plain):
        rope = hf.config.rope_parameters
        return {f"rope_factors_{which}.weight": np.array(rope[f"{which}_factor"], np.float32)
                for which in ("long", "short") if f"{which}_factor" in rope}


def phi3(**fields):
    base = dict(
        architectures=["Phi3ForCausalLM"], model_type="phi3", rms_norm_eps=1e-5, num_hidden_layers=2,
        original_max_position_embeddings=128, pad_token_id=79)
    return tiny(**base | fields)


MODELS = [
    Model(
        "phi3", Phi3(), phi3(sliding_window=10, tie_word_embeddings=False, num_key_value_heads=4),
        gguf=("f32", "q8_0"), agreed=10),
    Model(  # a part of each head turns; the engine takes the long factors unless it is opened with a short context
        "phi3-long", Phi3(),
        phi3(num_attention_heads=2, num_key_value_heads=1, partial_rotary_factor=0.75, sliding_window=None,
             max_position_embeddings=96, original_max_position_embeddings=24,
             rope_scaling=dict(type="longrope", long_factor=[1.0, 1.3, 2.1, 2.6, 3.2, 4.5],
                               short_factor=[1.0, 1.05, 1.1, 1.4, 1.7, 2.0])),
        cases=[Case(lengths=(30, 48), prompt=25), Case(lengths=(9, 24), context=24)]),
]
