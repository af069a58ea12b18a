"""GPT-Neo (TinyStories): learnt positions, unscaled attention, every other layer local. llama.cpp does not know it."""

from . import Arch, Case, Model

CONFIG = dict(
    model_type="gpt_neo", activation_function="gelu_new", hidden_size=32, num_layers=4, num_heads=4,
    attention_types=[[["global", "local"], 2]], window_size=8, max_position_embeddings=64, vocab_size=80,
    intermediate_size=None, layer_norm_epsilon=1e-5, bos_token_id=79, eos_token_id=79)

MODELS = [Model("gpt-neo", Arch(), CONFIG, gguf=(), cases=[Case(lengths=(1, 9, 48))])]
