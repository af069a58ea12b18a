"""Mixtures of experts: OLMoE, Qwen 3 MoE. Each expert is a tensor of its own on hubs, all are one in GGUF."""

import gguf

from . import Arch, Model, tiny

NAMES = {"gate_up_proj": ("gate_proj", "up_proj"), "down_proj": ("down_proj",)}
GGUF = {"gate_proj": "ffn_gate_exps", "up_proj": "ffn_up_exps", "down_proj": "ffn_down_exps"}


class Experts(Arch):
    f32 = ("ffn_gate_inp",)

    def metadata(self, w, config, given):
        super().metadata(w, config, given)
        w.add_expert_count(config.num_experts)
        w.add_expert_used_count(config.num_experts_per_tok)
        if "moe_intermediate_size" in given:
            w.add_expert_feed_forward_length(config.moe_intermediate_size)

    def projections(self, name, array):
        """The parts of transformers' joined experts [E, out, in]."""
        stem, _, last = name.rpartition(".")
        parts = NAMES[last]
        width = array.shape[1] // len(parts)
        return [(stem, part, array[:, i * width : (i + 1) * width]) for i, part in enumerate(parts)]

    def stored(self, name, tensor):
        if "mlp.experts." not in name:
            return [(name, tensor)]
        return [
            (f"{stem}.{e}.{part}.weight", tensors[e])
            for stem, part, tensors in self.projections(name, tensor) for e in range(tensors.shape[0])]

    def rearranged(self, config, name, array):
        if "mlp.experts." not in name:
            return [(name, array)]
        return [(f"{stem}.{part}", arrays) for stem, part, arrays in self.projections(name, array)]

    def tensor_name(self, config, name):
        stem, _, last = name.rpartition(".")
        if "mlp.experts" in stem:
            return f"blk.{stem.split('.')[2]}.{GGUF[last]}.weight"
        return super().tensor_name(config, name)


class Olmoe(Experts):
    gguf = gguf.MODEL_ARCH.OLMOE


class Qwen3Moe(Experts):
    gguf = gguf.MODEL_ARCH.QWEN3MOE


MODELS = [
    Model(
        "olmoe", Olmoe(),
        tiny(model_type="olmoe", rms_norm_eps=1e-5, num_hidden_layers=2, num_key_value_heads=4, num_experts=8, num_experts_per_tok=3,
             norm_topk_prob=False, tie_word_embeddings=False),
        theirs=False),
    Model(
        "qwen3-moe", Qwen3Moe(),
        tiny(model_type="qwen3_moe", rms_norm_eps=1e-6, num_hidden_layers=2, head_dim=16, num_experts=6,
             num_experts_per_tok=2, moe_intermediate_size=32, intermediate_size=64, norm_topk_prob=True,
             decoder_sparse_step=1, mlp_only_layers=[]),
        theirs=False),
    Model(  # a window, and weights not normalised, as config.json means where it leaves that out; GGUF can say neither
        "qwen3-moe-window", Qwen3Moe(),
        tiny(model_type="qwen3_moe", rms_norm_eps=1e-6, num_hidden_layers=1, head_dim=16, num_experts=4,
             num_experts_per_tok=2, moe_intermediate_size=32, intermediate_size=64, use_sliding_window=True,
             sliding_window=8),
        gguf=()),
]
