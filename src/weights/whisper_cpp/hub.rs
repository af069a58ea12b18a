//! How Hugging Face's hub names the tensors, and what stands in its configurations.

use super::vocabulary::{Ids, suppressed};
use crate::weights::tensor::TensorInfo;

/// Parts of names, whisper.cpp's (which are OpenAI's) and the hub's.
const PARTS: [(&str, &str); 17] = [
    ("attn.query", "self_attn.q_proj"),
    ("attn.key", "self_attn.k_proj"),
    ("attn.value", "self_attn.v_proj"),
    ("attn.out", "self_attn.out_proj"),
    ("attn_ln", "self_attn_layer_norm"),
    ("cross_attn.query", "encoder_attn.q_proj"),
    ("cross_attn.key", "encoder_attn.k_proj"),
    ("cross_attn.value", "encoder_attn.v_proj"),
    ("cross_attn.out", "encoder_attn.out_proj"),
    ("cross_attn_ln", "encoder_attn_layer_norm"),
    ("mlp.0", "fc1"),
    ("mlp.2", "fc2"),
    ("mlp_ln", "final_layer_norm"),
    ("ln_post", "layer_norm"),
    ("ln", "layer_norm"),
    ("positional_embedding", "embed_positions"),
    ("token_embedding", "embed_tokens"),
];
/// Tokens of text in the vocabulary of models for English alone, GPT-2's.
const ENGLISH_TOKENS: u32 = 50_256;

/// What the hub has as files of their own.
pub(in crate::weights) struct HubFiles {
    pub config: String,
    pub generation_config: String,
    pub tokenizer_json: String,
}

/// The sizes that the file begins with, in its order; the last says how most tensors are stored, which each says itself.
pub(super) struct Sizes {
    pub vocabulary: u32,
    pub positions: u32,
    pub encoder_heads: u32,
    pub encoder_layers: u32,
    pub context: u32,
    pub width: u32,
    pub heads: u32,
    pub layers: u32,
    pub mels: u32,
}

/// The hub's name of a tensor; others stay as they are.
pub(super) fn tensor(name: &str) -> String {
    let Some((half, rest)) = name.split_once('.') else { return name.to_string() };
    let in_layer = rest.strip_prefix("blocks.").and_then(|rest| rest.split_once('.'));
    let (layer, part) = in_layer.map_or((String::new(), rest), |(i, part)| (format!("layers.{i}."), part));
    let (part, kind) = match part.rsplit_once('.') {
        Some((part, kind @ ("weight" | "bias"))) => (part, kind),
        _ => (part, "weight"),
    };
    let part = PARTS.iter().find(|(other, _)| *other == part).map_or(part, |(_, hub)| hub);
    format!("model.{half}.{layer}{part}.{kind}")
}

/// config.json. What the file does not say, its tensors do.
pub(super) fn config(sizes: &Sizes, tensors: &[TensorInfo]) -> String {
    let Sizes { vocabulary, positions, encoder_heads, encoder_layers, context, width, heads, layers, mels } = sizes;
    let inside = |half: &str| {
        let name = format!("model.{half}.layers.0.fc1.weight");
        tensors.iter().find(|it| it.name == name).map_or(4 * *width as usize, TensorInfo::rows)
    };
    let [encoder_inside, decoder_inside] = ["encoder", "decoder"].map(inside);
    format!(
        r#"{{"model_type":"whisper","vocab_size":{vocabulary},"d_model":{width},"num_mel_bins":{mels},
        "max_source_positions":{positions},"max_target_positions":{context},"encoder_layers":{encoder_layers},
        "encoder_attention_heads":{encoder_heads},"encoder_ffn_dim":{encoder_inside},"decoder_layers":{layers},
        "decoder_attention_heads":{heads},"decoder_ffn_dim":{decoder_inside}}}"#
    )
}

/// generation_config.json. Behind the `end` tokens of text come the end, the start, the languages, six more, and the times, one more
/// than positions.
pub(super) fn generation_config(sizes: &Sizes, end: u32, ids: &Ids) -> String {
    let (start, no_timestamps) = (end + 1, sizes.vocabulary.saturating_sub(sizes.positions.saturating_add(2)));
    let [translate, transcribe, language_model, previous, no_speech] =
        [5, 4, 3, 2, 1].map(|n| no_timestamps.saturating_sub(n));
    let mut suppress = suppressed(ids);
    suppress.extend([start, translate, transcribe, language_model, previous, no_speech]);
    let suppress_first: Vec<u32> = ids.get("Ġ").copied().into_iter().chain([end]).collect();
    let english = end == ENGLISH_TOKENS;
    let heads = alignment_heads(sizes, english);
    format!(
        r#"{{"eos_token_id":{end},"decoder_start_token_id":{start},"no_timestamps_token_id":{no_timestamps},
        "prev_sot_token_id":{previous},"no_speech_token_id":{no_speech},"is_multilingual":{},
        "task_to_id":{{"transcribe":{transcribe},"translate":{translate}}},"suppress_tokens":{suppress:?},
        "begin_suppress_tokens":{suppress_first:?},"alignment_heads":{heads:?}}}"#,
        !english
    )
}

/// The heads, each with its layer, that OpenAI found to follow what is said (its whisper/__init__.py, the hub's
/// generation_config.json), where the sizes tell the model; else none.
#[rustfmt::skip]
fn alignment_heads(sizes: &Sizes, english: bool) -> &'static [[u8; 2]] {
    match (sizes.layers, sizes.width, english) {
        (4, 384, true) => &[[1, 0], [2, 0], [2, 5], [3, 0], [3, 1], [3, 2], [3, 3], [3, 4]],
        (4, 384, false) => &[[2, 2], [3, 0], [3, 2], [3, 3], [3, 4], [3, 5]],
        (6, 512, true) => &[[3, 3], [4, 7], [5, 1], [5, 5], [5, 7]],
        (6, 512, false) => &[[3, 1], [4, 2], [4, 3], [4, 7], [5, 1], [5, 2], [5, 4], [5, 6]],
        (12, 768, true) => &[
            [6, 6], [7, 0], [7, 3], [7, 8], [8, 2], [8, 5], [8, 7], [9, 0], [9, 4], [9, 8], [9, 10], [10, 0], [10, 1], [10, 2],
            [10, 3], [10, 6], [10, 11], [11, 2], [11, 4],
        ],
        (12, 768, false) => &[[5, 3], [5, 9], [8, 0], [8, 4], [8, 7], [8, 8], [9, 0], [9, 7], [9, 9], [10, 5]],
        (24, 1024, true) => &[
            [11, 4], [14, 1], [14, 12], [14, 14], [15, 4], [16, 0], [16, 4], [16, 9], [17, 12], [17, 14], [18, 7], [18, 10],
            [18, 15], [20, 0], [20, 3], [20, 9], [20, 14], [21, 12],
        ],
        (24, 1024, false) => &[[13, 15], [15, 4], [15, 15], [16, 1], [20, 0], [23, 4]],
        // large-v3, then large-v2.
        (32, 1280, _) if sizes.mels == 128 => {
            &[[7, 0], [10, 17], [12, 18], [13, 12], [16, 1], [17, 14], [19, 11], [21, 4], [24, 1], [25, 6]]
        }
        (32, 1280, _) => &[
            [10, 12], [13, 17], [16, 11], [16, 12], [16, 13], [17, 15], [17, 16], [18, 4], [18, 11], [18, 19], [19, 11], [21, 2],
            [21, 3], [22, 3], [22, 9], [22, 12], [23, 5], [23, 7], [23, 13], [25, 5], [26, 1], [26, 12], [27, 15],
        ],
        // large-v3-turbo.
        (4, 1280, _) => &[[2, 4], [2, 11], [3, 3], [3, 6], [3, 11], [3, 14]],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_have_the_hubs_names() {
        for (ours, hubs) in [
            ("encoder.conv1.bias", "model.encoder.conv1.bias"),
            ("encoder.positional_embedding", "model.encoder.embed_positions.weight"),
            ("encoder.ln_post.bias", "model.encoder.layer_norm.bias"),
            ("decoder.ln.weight", "model.decoder.layer_norm.weight"),
            ("decoder.token_embedding.weight", "model.decoder.embed_tokens.weight"),
            ("decoder.blocks.11.cross_attn.key.weight", "model.decoder.layers.11.encoder_attn.k_proj.weight"),
            ("encoder.blocks.0.attn_ln.bias", "model.encoder.layers.0.self_attn_layer_norm.bias"),
            ("decoder.blocks.3.mlp.2.weight", "model.decoder.layers.3.fc2.weight"),
            ("odd", "odd"),
        ] {
            assert_eq!(tensor(ours), hubs);
        }
    }
}
