#!/usr/bin/env python3
"""Makes config_defaults.json: the numbers that transformers' configuration classes have where config.json leaves them out.

    python tests/golden/config_defaults.py

Made with transformers 5.24.0. {model_type: {key: number}}, of the keys in KEYS that the class has as numbers.
"""

import json
from pathlib import Path

import transformers

MODEL_TYPES = [
    "llama", "mistral", "smollm3", "granite", "qwen2", "qwen3", "phi3", "stablelm", "gemma", "gemma2", "gemma3_text",
    "olmo2", "olmo3", "gpt2", "gpt_neo", "gpt_neox", "olmoe", "qwen3_moe", "bert", "nomic_bert", "modernbert",
    "whisper", "t5", "marian", "dinov2", "siglip_vision_model", "clip_vision_model", "idefics3_vision"]
KEYS = [
    "hidden_size", "n_embd", "intermediate_size", "num_hidden_layers", "n_layer", "num_layers", "num_attention_heads",
    "n_head", "num_heads", "num_key_value_heads", "head_dim", "max_position_embeddings", "n_positions",
    "original_max_position_embeddings", "rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_eps",
    "sliding_window", "window_size", "max_window_layers", "local_attention", "attn_logit_softcapping",
    "final_logit_softcapping", "query_pre_attn_scalar", "num_experts", "num_experts_per_tok", "moe_intermediate_size",
    "embedding_multiplier", "attention_multiplier", "residual_multiplier", "logits_scaling", "type_vocab_size",
    "d_model", "encoder_layers", "encoder_attention_heads", "encoder_ffn_dim", "decoder_layers", "decoder_attention_heads",
    "decoder_ffn_dim", "num_mel_bins", "max_source_positions", "max_target_positions",
    "d_kv", "d_ff", "relative_attention_num_buckets", "relative_attention_max_distance",
    "mlp_ratio", "image_size", "patch_size"]


def defaults(model_type):
    config = transformers.AutoConfig.for_model(model_type)
    fields = type(config).__dataclass_fields__
    found = {key: fields[key].default for key in KEYS if key in fields}
    rope = config.rope_parameters if hasattr(config, "rope_parameters") else None
    rope = (rope or {}).get("full_attention", rope or {})
    # As the keys are called outside of rope_parameters.
    share = "rotary_pct" if model_type == "gpt_neox" else "partial_rotary_factor"
    found |= {name: rope[key] for key, name in {"rope_theta": "rope_theta", "partial_rotary_factor": share}.items() if key in rope}
    return {key: value for key, value in found.items() if isinstance(value, (int, float))}


if __name__ == "__main__":
    lines = ",\n".join(f'"{name}": {json.dumps(defaults(name))}' for name in MODEL_TYPES)
    Path(__file__).with_name("config_defaults.json").write_text("{\n" + lines + "\n}\n")
