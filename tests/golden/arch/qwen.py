"""Qwen 2 and 2.5 (biases on q, k and v; YaRN; a sliding window in the upper layers), Qwen 3 (QK-norm)."""

import gguf

from . import Arch, Case, Model, tiny


class Qwen2(Arch):
    gguf = gguf.MODEL_ARCH.QWEN2

    def in_gguf(self, config):
        return config | dict(use_sliding_window=False)


class Qwen3(Qwen2):
    gguf = gguf.MODEL_ARCH.QWEN3


def qwen(version, **fields):
    base = dict(
        architectures=[f"Qwen{version}ForCausalLM"], model_type=f"qwen{version}", rms_norm_eps=1e-6,
        use_sliding_window=False, sliding_window=32, max_window_layers=3)
    return tiny(**base | fields)


MODELS = [
    Model("qwen2", Qwen2(), qwen(2), gguf=("f32", "q8_0")),
    Model(  # a window in the last two of three layers, which GGUF cannot say; YaRN
        "qwen2-window", Qwen2(),
        qwen(2, use_sliding_window=True, sliding_window=8, max_window_layers=1, tie_word_embeddings=False,
             rope_scaling=dict(type="yarn", factor=4.0, original_max_position_embeddings=24)),
        cases=[Case(lengths=(7, 48))]),
    Model(  # a head that is wider than hidden_size / heads
        "qwen3", Qwen3(), qwen(3, head_dim=16, num_hidden_layers=2, rope_theta=1000000, attention_bias=False)),
]
