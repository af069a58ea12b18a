"""OLMo 2 and 3: norms behind the sublayers, and over all heads of queries and keys together."""

import gguf

from . import Arch, Model, tiny


class Olmo2(Arch):
    gguf = gguf.MODEL_ARCH.OLMO2


class Olmo3(Olmo2):
    def metadata(self, w, config, given):
        w.add_context_length(config.max_position_embeddings)
        w.add_embedding_length(config.hidden_size)
        w.add_block_count(config.num_hidden_layers)
        w.add_feed_forward_length(config.intermediate_size)
        w.add_head_count(config.num_attention_heads)
        w.add_head_count_kv(config.num_key_value_heads)
        w.add_layer_norm_rms_eps(config.rms_norm_eps)
        rope = config.rope_parameters["full_attention"]
        w.add_rope_freq_base(rope["rope_theta"])
        w.add_rope_scaling_type(gguf.RopeScalingType(rope["rope_type"]))
        w.add_rope_scaling_factor(rope["factor"])
        w.add_rope_scaling_orig_ctx_len(rope["original_max_position_embeddings"])
        w.add_sliding_window(config.sliding_window)
        w.add_sliding_window_pattern([kind == "sliding_attention" for kind in config.layer_types])


MODELS = [
    Model("olmo2", Olmo2(), tiny(model_type="olmo2", rms_norm_eps=1e-6, num_hidden_layers=2, tie_word_embeddings=False),
          theirs=False),
    Model(  # OLMo 3: a window in three of four layers, YaRN in the fourth
        "olmo3", Olmo3(),
        tiny(model_type="olmo3", rms_norm_eps=1e-6, num_hidden_layers=4, tie_word_embeddings=False, sliding_window=8,
             rope_theta=500000.0,
             rope_scaling=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=24)),
        theirs=False),
]
