"""Gemma 1, 2 and 3: scaled embeddings, norms stored as w − 1, soft caps, windows, two rotary bases."""

import gguf

from . import Arch, Case, Model, tiny


class Gemma(Arch):
    gguf = gguf.MODEL_ARCH.GEMMA

    def offset(self, name):
        return 1 if name.endswith("norm.weight") else 0

    def tensor_name(self, config, name):
        # In Gemma 1 it stands before the feed-forward layer, in its successors behind attention.
        if config["model_type"] == "gemma" and "post_attention_layernorm" in name:
            return name.replace("model.layers", "blk").replace("post_attention_layernorm", "ffn_norm")
        return super().tensor_name(config, name)


class Gemma2(Gemma):
    gguf = gguf.MODEL_ARCH.GEMMA2

    def metadata(self, w, config, given):
        super().metadata(w, config, given)
        w.add_sliding_window(config.sliding_window)
        w.add_attn_logit_softcapping(config.attn_logit_softcapping)
        w.add_final_logit_softcapping(config.final_logit_softcapping)


class Gemma3(Gemma):
    gguf = gguf.MODEL_ARCH.GEMMA3

    def metadata(self, w, config, given):
        w.add_context_length(config.max_position_embeddings)
        w.add_embedding_length(config.hidden_size)
        w.add_block_count(config.num_hidden_layers)
        w.add_feed_forward_length(config.intermediate_size)
        w.add_head_count(config.num_attention_heads)
        w.add_head_count_kv(config.num_key_value_heads)
        w.add_layer_norm_rms_eps(config.rms_norm_eps)
        w.add_key_length(config.head_dim)
        w.add_value_length(config.head_dim)
        w.add_sliding_window(config.sliding_window)
        rope = config.rope_parameters["full_attention"]
        w.add_rope_freq_base(rope["rope_theta"])
        if rope["rope_type"] == "linear":
            w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
            w.add_rope_scaling_factor(rope["factor"])


class Gemma3Whole(Gemma3):
    """Of a model that also sees, the language model."""

    def stored(self, name, tensor):
        return [(f"language_model.{name}", tensor)]


def gemma(model_type, **fields):
    base = dict(model_type=model_type, hidden_activation="gelu_pytorch_tanh", rms_norm_eps=1e-6, head_dim=16)
    return {k: v for k, v in tiny(**base | fields).items() if k != "hidden_act"}


GEMMA3_TEXT = dict(
    model_type="gemma3_text", hidden_size=16, intermediate_size=32, num_hidden_layers=1, vocab_size=80,
    layer_types=["full_attention"], rope_scaling=dict(rope_type="linear", factor=8.0))

MODELS = [
    Model("gemma", Gemma(), gemma("gemma", num_hidden_layers=2)),
    Model(  # windows in layers 0 and 2, both caps; the scale that GGUF leaves to the head's size
        "gemma2", Gemma2(),
        gemma("gemma2", sliding_window=8, query_pre_attn_scalar=16, attn_logit_softcapping=5.0,
              final_logit_softcapping=10.0),
        cases=[Case(lengths=(1, 9, 48))]),
    Model(  # five layers with a window, one without, and the first of the next five
        "gemma3", Gemma3(),
        gemma("gemma3_text", num_hidden_layers=7, sliding_window=8, query_pre_attn_scalar=16, rope_theta=1000000.0,
              rope_local_base_freq=10000.0, rope_scaling=dict(rope_type="linear", factor=4.0)),
        cases=[Case(lengths=(1, 9, 48))], theirs=False),
    Model(  # config.json as hubs have it: whatever is as transformers' class has it is left out
        "gemma3-whole", Gemma3Whole(), GEMMA3_TEXT, gguf=(),
        published=dict(architectures=["Gemma3ForConditionalGeneration"], model_type="gemma3", text_config=GEMMA3_TEXT)),
]
