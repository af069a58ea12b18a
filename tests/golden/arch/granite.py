"""Granite 3: multipliers on embeddings, scores, what sublayers add, and logits."""

import gguf

from . import Model, Permuted, tiny


class Granite(Permuted):
    gguf = gguf.MODEL_ARCH.GRANITE

    def metadata(self, w, config, given):
        super().metadata(w, config, given)
        w.add_attention_scale(config.attention_multiplier)
        w.add_embedding_scale(config.embedding_multiplier)
        w.add_residual_scale(config.residual_multiplier)
        w.add_logit_scale(config.logits_scaling)


MODELS = [
    Model("granite", Granite(), tiny(
        architectures=["GraniteForCausalLM"], model_type="granite", rms_norm_eps=1e-5, attention_bias=False,
        mlp_bias=False, attention_multiplier=0.2, embedding_multiplier=2.5, residual_multiplier=0.6,
        logits_scaling=1.6)),
]
