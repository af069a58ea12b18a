//! BERT (Devlin et al. 2018, <https://arxiv.org/abs/1810.04805>) as an embedder: all-MiniLM, bge, e5, gte.

use super::architecture::{Architecture, Load};
use super::encoder::{Encoder, encoder_attention, pooling};
use crate::error::{Error, Result};
use crate::load::names::Name;
use crate::load::{Family, Hyper, Loader, NormStyle, Parts, Shape};
use crate::nn::{Embedding, EncoderBlock};
use crate::ops::{Activation, Pooling};

pub static ARCHITECTURE: Architecture = Architecture {
    family: Family {
        name: "bert",
        gguf: &["bert"],
        hf: &["bert"],
        tensors: NAMES,
        prefixes: &["", "bert."],
        defaults: &[
            ("hidden_size", 768.0),
            ("intermediate_size", 3072.0),
            ("num_hidden_layers", 12.0),
            ("num_attention_heads", 12.0),
            ("max_position_embeddings", 512.0),
            ("type_vocab_size", 2.0),
            ("layer_norm_eps", 1e-12),
        ],
        ..Family::PLAIN
    },
    shape,
    load: Load::Encoder(|loader| Box::pin(load(loader))),
};

const NAMES: &[Name] = &[
    ("embed", "token_embd.weight", "embeddings.word_embeddings.weight"),
    ("positions", "position_embd.weight", "embeddings.position_embeddings.weight"),
    ("types", "token_types.weight", "embeddings.token_type_embeddings.weight"),
    ("embed.norm", "token_embd_norm.weight", "embeddings.LayerNorm.weight"),
    ("embed.norm.bias", "token_embd_norm.bias", "embeddings.LayerNorm.bias"),
    ("attn.q", "blk.{i}.attn_q.weight", "encoder.layer.{i}.attention.self.query.weight"),
    ("attn.q.bias", "blk.{i}.attn_q.bias", "encoder.layer.{i}.attention.self.query.bias"),
    ("attn.k", "blk.{i}.attn_k.weight", "encoder.layer.{i}.attention.self.key.weight"),
    ("attn.k.bias", "blk.{i}.attn_k.bias", "encoder.layer.{i}.attention.self.key.bias"),
    ("attn.v", "blk.{i}.attn_v.weight", "encoder.layer.{i}.attention.self.value.weight"),
    ("attn.v.bias", "blk.{i}.attn_v.bias", "encoder.layer.{i}.attention.self.value.bias"),
    ("attn.o", "blk.{i}.attn_output.weight", "encoder.layer.{i}.attention.output.dense.weight"),
    ("attn.o.bias", "blk.{i}.attn_output.bias", "encoder.layer.{i}.attention.output.dense.bias"),
    ("attn.out_norm", "blk.{i}.attn_output_norm.weight", "encoder.layer.{i}.attention.output.LayerNorm.weight"),
    ("attn.out_norm.bias", "blk.{i}.attn_output_norm.bias", "encoder.layer.{i}.attention.output.LayerNorm.bias"),
    ("ffn.up", "blk.{i}.ffn_up.weight", "encoder.layer.{i}.intermediate.dense.weight"),
    ("ffn.up.bias", "blk.{i}.ffn_up.bias", "encoder.layer.{i}.intermediate.dense.bias"),
    ("ffn.down", "blk.{i}.ffn_down.weight", "encoder.layer.{i}.output.dense.weight"),
    ("ffn.down.bias", "blk.{i}.ffn_down.bias", "encoder.layer.{i}.output.dense.bias"),
    ("ffn.out_norm", "blk.{i}.layer_output_norm.weight", "encoder.layer.{i}.output.LayerNorm.weight"),
    ("ffn.out_norm.bias", "blk.{i}.layer_output_norm.bias", "encoder.layer.{i}.output.LayerNorm.bias"),
];

fn shape(hyper: &Hyper) -> Result<Shape> {
    if hyper.text("", "position_embedding_type")?.is_some_and(|kind| kind != "absolute") {
        return Err(Error::unsupported("relative positions in a bert model"));
    }
    hyper.shape()
}

async fn load(loader: &mut Loader<'_>) -> Result<Encoder> {
    let hyper = loader.hyper;
    let epsilon = hyper.number("attention.layer_norm_epsilon", "layer_norm_eps")? as f32;
    let activation = match hyper.text("", "hidden_act")? {
        None | Some("gelu") => Activation::Gelu,
        Some("gelu_new" | "gelu_pytorch_tanh") => Activation::GeluTanh,
        Some("relu") => Activation::Relu,
        Some(other) => return Err(Error::unsupported(format!("the activation {other} in a bert model"))),
    };
    let mut parts = Parts::new(loader, NormStyle::Layer { epsilon }, activation);
    let positions = Some(parts.positions()?);
    let types = parts.token_types()?;
    let embed = Embedding { positions, types, ..parts.embedding(1.0)? };
    let embed_norm = parts.norm("embed.norm", 0)?;
    let blocks = parts.layers(|parts, i| {
        let (d_model, q_dim) = (parts.shape.d_model, parts.shape.q_dim(i));
        let q = parts.loader.linear("attn.q", i, [q_dim, d_model])?;
        let k = parts.loader.linear("attn.k", i, [q_dim, d_model])?;
        let v = parts.loader.linear("attn.v", i, [q_dim, d_model])?;
        let o = parts.loader.linear("attn.o", i, [d_model, q_dim])?;
        Ok(EncoderBlock {
            attn_norm: None,
            attn: encoder_attention([q, k, v, o], &parts.shape, i),
            attn_out_norm: Some(parts.norm("attn.out_norm", i)?),
            ffn_norm: None,
            ffn: parts.plain_mlp(i)?,
            ffn_out_norm: Some(parts.norm("ffn.out_norm", i)?),
        })
    })?;
    let pooling = pooling(&hyper, Pooling::Mean)?;
    Ok(Encoder { shape: parts.shape, embed, embed_norm, blocks, norm: None, pooling })
}
