"""SmolLM 3: layers without rotary positions. In GGUF, every fourth."""

import gguf

from . import Model, Permuted, tiny


class Smollm3(Permuted):
    gguf = gguf.MODEL_ARCH.SMOLLM3


def smollm3(**fields):
    base = dict(architectures=["SmolLM3ForCausalLM"], model_type="smollm3", rms_norm_eps=1e-6, rope_theta=50000.0,
        pad_token_id=79)
    return tiny(**base | fields)


MODELS = [
    Model("smollm3", Smollm3(), smollm3(
        num_hidden_layers=4, num_attention_heads=2, num_key_value_heads=1, no_rope_layer_interval=4,
        use_sliding_window=False)),
    Model(  # the layers without positions listed, with a window
        "smollm3-window", Smollm3(), smollm3(
            num_hidden_layers=3, no_rope_layers=[0, 1, 0], use_sliding_window=True, sliding_window=8),
        gguf=()),
]
