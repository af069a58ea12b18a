"""Llama, and Mistral, which is a llama in GGUF."""

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Type

from . import Case, Model, Permuted, tiny

EVERY = ("f32", "f16", "bf16", "q8_0", "q4_0")
# Every position of a few sequences.
WHOLE = Case(lengths=(1, 7, 40), shown=None)


class Llama(Permuted):
    gguf = gguf.MODEL_ARCH.LLAMA

    def tensors(self, hf, plain):
        """llama.cpp keeps Llama 3's scaling as a divisor per frequency."""
        if hf.config.rope_parameters.get("rope_type") != "llama3":
            return {}
        factors = plain(rope_scaling=None).model.rotary_emb.inv_freq / hf.model.rotary_emb.inv_freq
        assert (factors > 1.5).any() and (factors == 1).any(), "the scaling must show within the test's lengths"
        return {"rope_freqs.weight": factors.numpy().astype(np.float32)}


class Mistral(Llama):
    def in_gguf(self, config):
        return config | dict(sliding_window=None)


def llama(**fields):
    base = dict(
        architectures=["LlamaForCausalLM"], model_type="llama", hidden_act="silu", num_hidden_layers=2,
        rms_norm_eps=1e-5, rope_theta=10000.0, max_position_embeddings=128, tie_word_embeddings=False,
        attention_bias=False, mlp_bias=False)
    config = base | fields
    return config | dict(bos_token_id=config["vocab_size"] - 1, eos_token_id=config["vocab_size"] - 1)


# Every type of weight once, K-quants where rows are whole blocks of 256: what rows of q, k and v, or of gate and up, are
# read together is of different types.
MIXTURE = {
    "token_embd.weight": Type.Q3_K, "output.weight": Type.Q6_K,
    "blk.0.attn_q.weight": Type.Q4_K, "blk.0.attn_k.weight": Type.Q5_K, "blk.0.attn_v.weight": Type.Q2_K,
    "blk.0.attn_output.weight": Type.IQ4_NL, "blk.0.ffn_gate.weight": Type.IQ4_XS, "blk.0.ffn_up.weight": Type.F32,
    "blk.0.ffn_down.weight": Type.Q5_1,
    "blk.1.attn_q.weight": Type.Q8_0, "blk.1.attn_k.weight": Type.F16, "blk.1.attn_v.weight": Type.BF16,
    "blk.1.attn_output.weight": Type.MXFP4, "blk.1.ffn_gate.weight": Type.Q4_1, "blk.1.ffn_up.weight": Type.Q5_0,
    "blk.1.ffn_down.weight": Type.Q4_0,
}

MODELS = [
    Model(  # grouped-query attention, untied output, every format, two shards
        "llama-gqa", Llama(),
        llama(hidden_size=64, num_attention_heads=4, num_key_value_heads=2, head_dim=16, intermediate_size=96,
              vocab_size=96),
        torch.float32, EVERY, shards=2, cases=[WHOLE]),
    Model(  # multi-head, tied output, sizes that are no multiple of 32, another theta and epsilon, no head_dim key
        "llama-tied", Llama(),
        llama(hidden_size=48, num_attention_heads=3, num_key_value_heads=3, intermediate_size=100, vocab_size=77,
              rope_theta=50000.0, rms_norm_eps=1e-6, tie_word_embeddings=True),
        torch.bfloat16, cases=[WHOLE]),
    Model(  # head_dim that is not hidden_size / heads; Llama 3's RoPE scaling (GGUF: rope_freqs.weight)
        "llama-rope3", Llama(),
        llama(hidden_size=64, num_attention_heads=4, num_key_value_heads=1, head_dim=32, intermediate_size=96,
              vocab_size=80, num_hidden_layers=1, rope_scaling=dict(
                  rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                  original_max_position_embeddings=32)),
        torch.float16, ("f32", "q8_0"), cases=[WHOLE]),
    Model(  # linear RoPE scaling in the spelling of transformers 5 (`rope_parameters`); GGUF version 2
        "llama-linear", Llama(),
        {k: v for k, v in llama(
            hidden_size=32, num_attention_heads=2, num_key_value_heads=2, head_dim=16, intermediate_size=64,
            vocab_size=80, num_hidden_layers=1,
            rope_parameters=dict(rope_type="linear", factor=4.0, rope_theta=20000.0)).items() if k != "rope_theta"},
        torch.float32, gguf_version=2, cases=[WHOLE]),
    Model(  # a type of its own for every matrix
        "llama-mixed", Llama(),
        llama(hidden_size=256, num_attention_heads=4, num_key_value_heads=2, head_dim=16, intermediate_size=96,
              vocab_size=80),
        torch.float32, ("mixed",), safetensors=False, mixture=MIXTURE),
    Model(  # YaRN; the sequence goes past the original context
        "llama-yarn", Llama(),
        tiny(architectures=["LlamaForCausalLM"], model_type="llama", rms_norm_eps=1e-5, num_hidden_layers=2,
             num_attention_heads=2, num_key_value_heads=1, rope_theta=5000.0,
             rope_scaling=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=24))),
    Model(  # a window in every layer, which GGUF cannot say
        "mistral", Mistral(),
        tiny(architectures=["MistralForCausalLM"], model_type="mistral", rms_norm_eps=1e-5, num_hidden_layers=2,
             sliding_window=8, tie_word_embeddings=False)),
]
