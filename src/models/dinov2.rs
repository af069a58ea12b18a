//! DINOv2 (Oquab et al. 2023, <https://arxiv.org/abs/2304.07193>): features of pictures, learnt without labels. LayerScale behind
//! each sublayer (Touvron et al. 2021, <https://arxiv.org/abs/2103.17239>), learnt positions of a larger picture.

use super::architecture::{Architecture, Load};
use super::vision::{VisionEncoder, VisionHead};
use super::vit::{self, ClassRow, VitParts};
use crate::error::{Error, Result};
use crate::load::names::Name;
use crate::load::{Family, Hyper, Loader, Shape};
use crate::ops::Activation;
use crate::pictures::Preprocessing;

pub static ARCHITECTURE: Architecture = Architecture {
    family: Family {
        name: "dinov2",
        gguf: &[],
        hf: &["dinov2"],
        tensors: NAMES,
        prefixes: &["", "dinov2."],
        defaults: &[
            ("hidden_size", 768.0),
            ("num_hidden_layers", 12.0),
            ("num_attention_heads", 12.0),
            ("mlp_ratio", 4.0),
            ("image_size", 224.0),
            ("patch_size", 14.0),
            ("layer_norm_eps", 1e-6),
        ],
        ..Family::PLAIN
    },
    shape,
    load: Load::Vision(|loader| Box::pin(load(loader))),
};

const NAMES: &[Name] = &[
    ("class", "", "embeddings.cls_token"),
    ("positions", "", "embeddings.position_embeddings"),
    ("patches", "", "embeddings.patch_embeddings.projection.weight"),
    ("patches.bias", "", "embeddings.patch_embeddings.projection.bias"),
    ("norm", "", "layernorm.weight"),
    ("norm.bias", "", "layernorm.bias"),
    ("attn.norm", "", "encoder.layer.{i}.norm1.weight"),
    ("attn.norm.bias", "", "encoder.layer.{i}.norm1.bias"),
    ("attn.q", "", "encoder.layer.{i}.attention.attention.query.weight"),
    ("attn.q.bias", "", "encoder.layer.{i}.attention.attention.query.bias"),
    ("attn.k", "", "encoder.layer.{i}.attention.attention.key.weight"),
    ("attn.k.bias", "", "encoder.layer.{i}.attention.attention.key.bias"),
    ("attn.v", "", "encoder.layer.{i}.attention.attention.value.weight"),
    ("attn.v.bias", "", "encoder.layer.{i}.attention.attention.value.bias"),
    ("attn.o", "", "encoder.layer.{i}.attention.output.dense.weight"),
    ("attn.o.bias", "", "encoder.layer.{i}.attention.output.dense.bias"),
    ("attn.scale", "", "encoder.layer.{i}.layer_scale1.lambda1"),
    ("ffn.norm", "", "encoder.layer.{i}.norm2.weight"),
    ("ffn.norm.bias", "", "encoder.layer.{i}.norm2.bias"),
    ("ffn.up", "", "encoder.layer.{i}.mlp.fc1.weight"),
    ("ffn.up.bias", "", "encoder.layer.{i}.mlp.fc1.bias"),
    ("ffn.down", "", "encoder.layer.{i}.mlp.fc2.weight"),
    ("ffn.down.bias", "", "encoder.layer.{i}.mlp.fc2.bias"),
    ("ffn.scale", "", "encoder.layer.{i}.layer_scale2.lambda1"),
];

fn shape(hyper: &Hyper) -> Result<Shape> {
    hyper.activation_is("gelu")?;
    if hyper.flag("", "use_swiglu_ffn")? == Some(true) {
        return Err(Error::unsupported("a dinov2 model with a gated feed-forward layer"));
    }
    let d_ffn = hyper.count("", "mlp_ratio")?.saturating_mul(hyper.count("", "hidden_size")?);
    VitParts::shape(hyper, d_ffn, 1 + vit::grid(&preprocessing(hyper)?, hyper, 1)?.patches())
}

/// transformers' own values for what the file leaves out.
fn preprocessing(hyper: &Hyper) -> Result<Preprocessing> {
    let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let usual = Preprocessing { mean, std, ..Preprocessing::middle(256, 224) };
    Preprocessing::read(hyper.checkpoint.preprocessor_config(), usual, hyper.checkpoint.name())
}

async fn load(loader: &mut Loader<'_>) -> Result<VisionEncoder> {
    let hyper = loader.hyper;
    let preprocessing = preprocessing(&hyper)?;
    let grid = vit::grid(&preprocessing, &hyper, 1)?;
    let trained = hyper.count("", "image_size")? / grid.edge;
    let epsilon = hyper.number("", "layer_norm_eps")? as f32;
    let mut vit = VitParts::new(loader, epsilon, Activation::Gelu);
    let position_table = vit.positions([trained; 2], &grid, Some(ClassRow::First)).await?;
    let patches = vit.patches(grid.edge)?;
    let mut blocks = Vec::new();
    for i in 0..vit.layers() {
        blocks.push(vit.scaled_block(i).await?);
    }
    let norm = vit.norm("norm", 0)?;
    Ok(VisionEncoder {
        shape: vit.shape_of_all(),
        preprocessing,
        grid,
        classes: 1,
        patches,
        position_table,
        pre_norm: None,
        blocks,
        norm: Some(norm),
        head: VisionHead::First,
    })
}
