"""GPT-NeoX and Pythia: sublayers side by side, partial rotary positions, queries, keys and values in one tensor."""

import gguf
import numpy as np

from . import Arch, Model, tiny


class GptNeoX(Arch):
    gguf = gguf.MODEL_ARCH.GPTNEOX

    def metadata(self, w, config, given):
        w.add_context_length(config.max_position_embeddings)
        w.add_embedding_length(config.hidden_size)
        w.add_block_count(config.num_hidden_layers)
        w.add_feed_forward_length(config.intermediate_size)
        head_dim = config.hidden_size // config.num_attention_heads
        w.add_rope_dimension_count(int(head_dim * given["rotary_pct"]))
        w.add_rope_freq_base(config.rope_parameters["rope_theta"])
        w.add_head_count(config.num_attention_heads)
        w.add_parallel_residual(config.use_parallel_residual)
        w.add_layer_norm_eps(config.layer_norm_eps)

    def stored(self, name, tensor):
        return [(name.replace("lm_head", "embed_out"), tensor)]

    def rearranged(self, config, name, array):
        """[heads, (q, k, v), head_dim] → [(q, k, v), heads, head_dim]."""
        if "query_key_value" not in name:
            return [(name, array)]
        heads = config["num_attention_heads"]
        parts = array.reshape(heads, 3, array.shape[0] // heads // 3, -1).swapaxes(0, 1)
        return [(name, np.ascontiguousarray(parts).reshape(array.shape))]


def neox(**fields):
    base = dict(
        model_type="gpt_neox", hidden_act="gelu", layer_norm_eps=1e-5, num_hidden_layers=2, rotary_pct=0.5,
        rotary_emb_base=10000, attention_bias=True, tie_word_embeddings=False)
    config = tiny(**base | fields)
    return {k: v for k, v in config.items() if k not in ("num_key_value_heads", "rope_theta")}


MODELS = [
    Model("gpt-neox", GptNeoX(), neox(use_parallel_residual=True), theirs=False),
    Model("gpt-neox-serial", GptNeoX(), neox(use_parallel_residual=False, num_attention_heads=2), theirs=False),
]
