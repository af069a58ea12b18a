//! A trained decoder as files other programs read: GGUF, and a Hugging Face folder.
//!
//! burn keeps a linear weight as `[in, out]`; both files want `[out, in]`. GGUF's llama turns adjacent components of a
//! head, so the rows of q and k are put in that order, as llama.cpp's converter does; Hugging Face's llama turns halves,
//! as the decoder does.

use std::fs;
use std::io::BufWriter;
use std::path::Path;

use burn::module::Param;
use burn::nn::{Linear, RmsNorm};
use burn::tensor::Tensor;
use serde_json::json;
use tokenizers::Tokenizer;

use crate::data::{SEPARATOR, vocabulary};
use crate::decoder::{Decoder, DecoderConfig};
use crate::trainer::{unwritable, write_json};
use cresset::quant::Format;
use cresset::weights::GgufWriter;
use cresset::{Error, Result};

/// A weight as a checkpoint has it.
pub struct Weight {
    /// Name in a GGUF file.
    pub gguf: String,
    /// Name in a Hugging Face checkpoint.
    pub hugging_face: String,
    /// Row-major, `[out, in]`.
    pub shape: Vec<usize>,
    /// As many as the shape has room for.
    pub values: Vec<f32>,
    /// For q and k, how many heads the rows are.
    pub rotary_heads: Option<usize>,
}

impl Weight {
    /// The rows in GGUF's order: within each head, row `j` of the first half is followed by row `j` of the second.
    pub fn gguf_values(&self) -> Vec<f32> {
        let Some(heads) = self.rotary_heads else { return self.values.clone() };
        let (rows, columns) = (self.shape[0], self.shape[1]);
        let (d, half) = (rows / heads, rows / heads / 2);
        let source = |row: usize| row / d * d + (row % 2) * half + row % d / 2;
        (0..rows).flat_map(|row| &self.values[source(row) * columns..][..columns]).copied().collect()
    }
}

/// All weights in the order of the forward pass.
pub fn weights(decoder: &Decoder, config: &DecoderConfig) -> Vec<Weight> {
    let mut all = vec![weight("token_embd", "model.embed_tokens", numbers(&decoder.embed.weight), None)];
    for (i, block) in decoder.blocks.iter().enumerate() {
        let (attn, ffn) = (&block.attn, &block.ffn);
        let (heads, kv_heads) = (Some(config.n_heads), Some(config.n_kv_heads));
        for (gguf, hugging_face, numbers, rotary_heads) in [
            ("attn_norm", "input_layernorm", gain(&block.attn_norm), None),
            ("attn_q", "self_attn.q_proj", rows(&attn.q), heads),
            ("attn_k", "self_attn.k_proj", rows(&attn.k), kv_heads),
            ("attn_v", "self_attn.v_proj", rows(&attn.v), None),
            ("attn_output", "self_attn.o_proj", rows(&attn.output), None),
            ("ffn_norm", "post_attention_layernorm", gain(&block.ffn_norm), None),
            ("ffn_gate", "mlp.gate_proj", rows(&ffn.gate), None),
            ("ffn_up", "mlp.up_proj", rows(&ffn.up), None),
            ("ffn_down", "mlp.down_proj", rows(&ffn.down), None),
        ] {
            let (gguf, hugging_face) = (format!("blk.{i}.{gguf}"), format!("model.layers.{i}.{hugging_face}"));
            all.push(weight(&gguf, &hugging_face, numbers, rotary_heads));
        }
    }
    all.push(weight("output_norm", "model.norm", gain(&decoder.norm), None));
    all
}

type Values = (Vec<usize>, Vec<f32>);

fn weight(gguf: &str, hugging_face: &str, (shape, values): Values, rotary_heads: Option<usize>) -> Weight {
    let (gguf, hugging_face) = (format!("{gguf}.weight"), format!("{hugging_face}.weight"));
    Weight { gguf, hugging_face, shape, values, rotary_heads }
}

fn numbers<const D: usize>(param: &Param<Tensor<D>>) -> Values {
    shape_and_values(param.val())
}

fn gain(norm: &RmsNorm) -> Values {
    numbers(&norm.gamma)
}

fn rows(linear: &Linear) -> Values {
    shape_and_values(linear.weight.val().transpose())
}

fn shape_and_values<const D: usize>(tensor: Tensor<D>) -> Values {
    let data = tensor.into_data();
    (data.shape().to_vec(), data.iter::<f32>().collect())
}

/// Writes `path` as GGUF: matrices in `format`, norms in f32; keys as in ggml's `docs/gguf.md`.
///
/// # Errors
/// `INVALID_REQUEST` if the rows are no whole number of the format's blocks, `STORAGE` if the file cannot be written.
pub fn write_gguf(
    path: &Path,
    decoder: &Decoder,
    config: &DecoderConfig,
    tokenizer: &Tokenizer,
    about: &About,
    format: Format,
) -> Result<()> {
    let (tokens, merges) = vocabulary(tokenizer)?;
    let separator = separator(tokenizer)?;
    // ggml's token types: 1 normal, 3 control.
    let types: Vec<i32> = (0..tokens.len() as u32).map(|id| if id == separator { 3 } else { 1 }).collect();
    let file_type = match format {
        Format::F32 => 0u32,
        Format::F16 => 1,
        Format::Q8_0 => 7,
        other => return Err(Error::invalid("--export", format!("{} is not one of f32, f16, q8_0", other.name()))),
    };
    let mut writer = GgufWriter::new()
        .set("general.architecture", "llama")
        .set("general.type", "model")
        .set("general.name", about.name.as_str())
        .set("general.file_type", file_type)
        .set("general.quantization_version", 2u32)
        .set("llama.vocab_size", config.vocab as u32)
        .set("llama.context_length", config.context as u32)
        .set("llama.embedding_length", config.d_model as u32)
        .set("llama.block_count", config.n_layers as u32)
        .set("llama.feed_forward_length", config.ffn as u32)
        .set("llama.attention.head_count", config.n_heads as u32)
        .set("llama.attention.head_count_kv", config.n_kv_heads as u32)
        .set("llama.attention.layer_norm_rms_epsilon", config.norm_eps as f32)
        .set("llama.rope.dimension_count", config.head_dim() as u32)
        .set("llama.rope.freq_base", config.rope_base as f32)
        .set("tokenizer.ggml.model", "gpt2")
        .set("tokenizer.ggml.pre", "gpt-2")
        .set("tokenizer.ggml.tokens", tokens)
        .set("tokenizer.ggml.token_type", types)
        .set("tokenizer.ggml.merges", merges)
        .set("tokenizer.ggml.bos_token_id", separator)
        .set("tokenizer.ggml.eos_token_id", separator)
        .set("tokenizer.ggml.add_bos_token", true);
    for (key, text) in [("general.license", &about.license), ("general.description", &about.description)] {
        if let Some(text) = text {
            writer = writer.set(key, text.as_str());
        }
    }
    for weight in weights(decoder, config) {
        let format = if weight.shape.len() == 1 { Format::F32 } else { format };
        let columns = weight.shape.last().copied().unwrap_or(1);
        if !columns.is_multiple_of(format.block_len()) {
            return Err(Error::invalid(
                "--export",
                format!("{} needs --d-model and --ffn to be multiples of {}", format.name(), format.block_len()),
            ));
        }
        let bytes = format.quantize(&weight.gguf_values());
        writer = writer.tensor(weight.gguf, &weight.shape, format, bytes);
    }
    let file = fs::File::create(path).map_err(|e| unwritable(path, e))?;
    writer.write(BufWriter::new(file))
}

/// Metadata that describes the model.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// The name people know the model by.
    pub name: String,
    /// An SPDX identifier.
    pub license: Option<String>,
    /// One sentence on it.
    pub description: Option<String>,
}

fn separator(tokenizer: &Tokenizer) -> Result<u32> {
    tokenizer.token_to_id(SEPARATOR).ok_or_else(|| Error::format("tokenizer.json", format!("has no token {SEPARATOR}")))
}

/// Writes `dir` so that Hugging Face transformers loads it: `config.json`, `model.safetensors` (f32), `tokenizer.json`.
///
/// # Errors
/// `MODEL_FORMAT` if the tokenizer has no [`SEPARATOR`]; `STORAGE` where something cannot be written.
pub fn write_hugging_face(dir: &Path, decoder: &Decoder, config: &DecoderConfig, tokenizer: &Tokenizer) -> Result<()> {
    fs::create_dir_all(dir).map_err(|e| unwritable(dir, e))?;
    let separator = separator(tokenizer)?;
    let description = json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": config.vocab,
        "hidden_size": config.d_model,
        "intermediate_size": config.ffn,
        "num_hidden_layers": config.n_layers,
        "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.n_kv_heads,
        "head_dim": config.head_dim(),
        "hidden_act": "silu",
        "max_position_embeddings": config.context,
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope_base,
        "tie_word_embeddings": true,
        "attention_bias": false,
        "mlp_bias": false,
        "bos_token_id": separator,
        "eos_token_id": separator,
        "torch_dtype": "float32",
    });
    write_json(&dir.join("config.json"), &description)?;
    let path = dir.join("tokenizer.json");
    tokenizer.save(&path, true).map_err(|e| unwritable(&path, e))?;
    let path = dir.join("model.safetensors");
    fs::write(&path, safetensors(&weights(decoder, config))).map_err(|e| unwritable(&path, e))
}

/// The safetensors format: the header's length, a JSON header of names, types, shapes and byte ranges, the bytes.
fn safetensors(weights: &[Weight]) -> Vec<u8> {
    let (mut header, mut end) = (serde_json::Map::new(), 0);
    header.insert("__metadata__".into(), json!({ "format": "pt" }));
    for weight in weights {
        let start = end;
        end += 4 * weight.values.len();
        let entry = json!({ "dtype": "F32", "shape": weight.shape, "data_offsets": [start, end] });
        header.insert(weight.hugging_face.clone(), entry);
    }
    let mut header = serde_json::Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' '); // so that the numbers are aligned
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend(weights.iter().flat_map(|w| &w.values).flat_map(|x| x.to_le_bytes()));
    file
}
