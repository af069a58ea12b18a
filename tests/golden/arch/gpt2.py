"""GPT-2: Conv1D weights [in, out], which GGUF has transposed."""

import gguf
import numpy as np
import torch

from . import Arch, Case, Model

WHOLE = Case(lengths=(1, 7, 40), shown=None)


class Gpt2(Arch):
    gguf = gguf.MODEL_ARCH.GPT2
    f32 = ("wpe",)

    def metadata(self, w, config, given):
        w.add_context_length(config.n_positions)
        w.add_embedding_length(config.n_embd)
        w.add_block_count(config.n_layer)
        w.add_feed_forward_length(config.n_inner)
        w.add_head_count(config.n_head)
        w.add_layer_norm_eps(config.layer_norm_epsilon)

    def rearranged(self, config, name, array):
        conv1d = array.ndim == 2 and any(part in name for part in ("c_attn", "c_proj", "c_fc"))
        return [(name, np.ascontiguousarray(array.T if conv1d else array))]


def gpt2(**fields):
    base = dict(
        architectures=["GPT2LMHeadModel"], model_type="gpt2", activation_function="gelu_new",
        layer_norm_epsilon=1e-5, n_ctx=64, n_positions=64)
    config = base | fields
    return config | dict(bos_token_id=config["vocab_size"] - 1, eos_token_id=config["vocab_size"] - 1)


MODELS = [
    Model(
        "gpt2-small", Gpt2(),
        gpt2(n_embd=64, n_head=4, n_layer=2, n_inner=160, vocab_size=90),
        torch.float16, ("f32", "f16", "q8_0", "q4_0"), cases=[WHOLE]),
    Model(  # the original upload's spelling: no prefix, the causal mask stored as a tensor, n_inner absent
        "gpt2-bare", Gpt2(),
        gpt2(n_embd=32, n_head=2, n_layer=1, vocab_size=78),
        torch.float32, gguf=(), bare_names=True, cases=[WHOLE]),
]
