"""OLMo 2: norms behind the sublayers, and over all heads of queries and keys together."""

import gguf

from . import Arch, Model, tiny


class Olmo2(Arch):
    gguf = gguf.MODEL_ARCH.OLMO2


MODELS = [
    Model("olmo2", Olmo2(), tiny(model_type="olmo2", rms_norm_eps=1e-6, num_hidden_layers=2, tie_word_embeddings=False),
          theirs=False),
]
