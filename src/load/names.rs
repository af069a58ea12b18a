//! Names of tensors: ours, GGUF's and Hugging Face's.

/// One name in each world: ours, GGUF's, Hugging Face's. `{i}` stands for the layer, `{j}` for one of several vectors or
/// matrices that GGUF keeps as one tensor. Empty where that kind of file has no such tensor.
pub type Name = (&'static str, &'static str, &'static str);

/// A model's own rows, then those that it shares with others.
pub const fn joined<const N: usize>(own: &[Name], others: &[Name]) -> [Name; N] {
    let mut names = [own[0]; N];
    let mut i = 0;
    while i < N {
        names[i] = if i < own.len() { own[i] } else { others[i - own.len()] };
        i += 1;
    }
    names
}

/// The names that most architectures share; an architecture's own come before them.
pub const NAMES: &[Name] = &[
    ("embed", "token_embd.weight", "model.embed_tokens.weight"),
    ("norm", "output_norm.weight", "model.norm.weight"),
    ("norm.bias", "output_norm.bias", "model.norm.bias"),
    ("lm_head", "output.weight", "lm_head.weight"),
    ("lm_head.bias", "output.bias", "lm_head.bias"),
    ("rope_divisors", "rope_freqs.weight", "rope_freqs.weight"),
    ("attn.norm", "blk.{i}.attn_norm.weight", "model.layers.{i}.input_layernorm.weight"),
    ("attn.norm.bias", "blk.{i}.attn_norm.bias", "model.layers.{i}.input_layernorm.bias"),
    ("attn.q", "blk.{i}.attn_q.weight", "model.layers.{i}.self_attn.q_proj.weight"),
    ("attn.k", "blk.{i}.attn_k.weight", "model.layers.{i}.self_attn.k_proj.weight"),
    ("attn.v", "blk.{i}.attn_v.weight", "model.layers.{i}.self_attn.v_proj.weight"),
    ("attn.o", "blk.{i}.attn_output.weight", "model.layers.{i}.self_attn.o_proj.weight"),
    ("attn.q.bias", "blk.{i}.attn_q.bias", "model.layers.{i}.self_attn.q_proj.bias"),
    ("attn.k.bias", "blk.{i}.attn_k.bias", "model.layers.{i}.self_attn.k_proj.bias"),
    ("attn.v.bias", "blk.{i}.attn_v.bias", "model.layers.{i}.self_attn.v_proj.bias"),
    ("attn.o.bias", "blk.{i}.attn_output.bias", "model.layers.{i}.self_attn.o_proj.bias"),
    ("attn.q_norm", "blk.{i}.attn_q_norm.weight", "model.layers.{i}.self_attn.q_norm.weight"),
    ("attn.k_norm", "blk.{i}.attn_k_norm.weight", "model.layers.{i}.self_attn.k_norm.weight"),
    ("ffn.norm", "blk.{i}.ffn_norm.weight", "model.layers.{i}.post_attention_layernorm.weight"),
    ("ffn.norm.bias", "blk.{i}.ffn_norm.bias", "model.layers.{i}.post_attention_layernorm.bias"),
    ("ffn.gate", "blk.{i}.ffn_gate.weight", "model.layers.{i}.mlp.gate_proj.weight"),
    ("ffn.up", "blk.{i}.ffn_up.weight", "model.layers.{i}.mlp.up_proj.weight"),
    ("ffn.down", "blk.{i}.ffn_down.weight", "model.layers.{i}.mlp.down_proj.weight"),
    ("ffn.gate.bias", "blk.{i}.ffn_gate.bias", "model.layers.{i}.mlp.gate_proj.bias"),
    ("ffn.up.bias", "blk.{i}.ffn_up.bias", "model.layers.{i}.mlp.up_proj.bias"),
    ("ffn.down.bias", "blk.{i}.ffn_down.bias", "model.layers.{i}.mlp.down_proj.bias"),
];
