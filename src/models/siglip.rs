//! SigLIP's encoder of pictures (Zhai et al. 2023, <https://arxiv.org/abs/2303.15343>), by itself or out of a model that also
//! reads texts: pre-norm, learnt positions, a head that attends to all patches.

use super::architecture::{Architecture, Load};
use super::vision::{AttentionPooling, VisionEncoder, VisionHead};
use super::vit::{self, VitParts};
use crate::error::{Error, Result};
use crate::load::names::{Name, joined};
use crate::load::{Family, Hyper, Loader, Shape};
use crate::ops::Activation;
use crate::pictures::{Grid, Preprocessing};

pub static ARCHITECTURE: Architecture = Architecture {
    family: Family {
        name: "siglip",
        gguf: &[],
        hf: &["siglip", "siglip_vision_model"],
        section: "vision_config",
        tensors: NAMES,
        prefixes: TOWERS,
        defaults: &[
            ("hidden_size", 768.0),
            ("intermediate_size", 3072.0),
            ("num_hidden_layers", 12.0),
            ("num_attention_heads", 12.0),
            ("image_size", 224.0),
            ("patch_size", 16.0),
            ("layer_norm_eps", 1e-6),
        ],
        ..Family::PLAIN
    },
    shape,
    load: Load::Vision(|loader| Box::pin(load(loader))),
};

/// The prefixes of an encoder's names in files of its own, and beside a half that reads.
pub const TOWERS: &[&str] = &[
    "vision_model.",
    "model.vision_model.",
    "vision_tower.vision_model.",
    "vision_tower.",
    "model.vision_tower.",
    "model.vision_tower.vision_model.",
    "",
];

pub const NAMES: &[Name] = &[
    ("positions", "v.position_embd.weight", "vision_model.embeddings.position_embedding.weight"),
    ("patches", "v.patch_embd.weight", "vision_model.embeddings.patch_embedding.weight"),
    ("patches.bias", "v.patch_embd.bias", "vision_model.embeddings.patch_embedding.bias"),
    ("norm", "v.post_ln.weight", "vision_model.post_layernorm.weight"),
    ("norm.bias", "v.post_ln.bias", "vision_model.post_layernorm.bias"),
    ("attn.norm", "v.blk.{i}.ln1.weight", "vision_model.encoder.layers.{i}.layer_norm1.weight"),
    ("attn.norm.bias", "v.blk.{i}.ln1.bias", "vision_model.encoder.layers.{i}.layer_norm1.bias"),
    ("attn.q", "v.blk.{i}.attn_q.weight", "vision_model.encoder.layers.{i}.self_attn.q_proj.weight"),
    ("attn.q.bias", "v.blk.{i}.attn_q.bias", "vision_model.encoder.layers.{i}.self_attn.q_proj.bias"),
    ("attn.k", "v.blk.{i}.attn_k.weight", "vision_model.encoder.layers.{i}.self_attn.k_proj.weight"),
    ("attn.k.bias", "v.blk.{i}.attn_k.bias", "vision_model.encoder.layers.{i}.self_attn.k_proj.bias"),
    ("attn.v", "v.blk.{i}.attn_v.weight", "vision_model.encoder.layers.{i}.self_attn.v_proj.weight"),
    ("attn.v.bias", "v.blk.{i}.attn_v.bias", "vision_model.encoder.layers.{i}.self_attn.v_proj.bias"),
    ("attn.o", "v.blk.{i}.attn_out.weight", "vision_model.encoder.layers.{i}.self_attn.out_proj.weight"),
    ("attn.o.bias", "v.blk.{i}.attn_out.bias", "vision_model.encoder.layers.{i}.self_attn.out_proj.bias"),
    ("ffn.norm", "v.blk.{i}.ln2.weight", "vision_model.encoder.layers.{i}.layer_norm2.weight"),
    ("ffn.norm.bias", "v.blk.{i}.ln2.bias", "vision_model.encoder.layers.{i}.layer_norm2.bias"),
    ("ffn.up", "v.blk.{i}.ffn_up.weight", "vision_model.encoder.layers.{i}.mlp.fc1.weight"),
    ("ffn.up.bias", "v.blk.{i}.ffn_up.bias", "vision_model.encoder.layers.{i}.mlp.fc1.bias"),
    ("ffn.down", "v.blk.{i}.ffn_down.weight", "vision_model.encoder.layers.{i}.mlp.fc2.weight"),
    ("ffn.down.bias", "v.blk.{i}.ffn_down.bias", "vision_model.encoder.layers.{i}.mlp.fc2.bias"),
    ("head.query", "", "vision_model.head.probe"),
    ("head.qkv", "", "vision_model.head.attention.in_proj_weight"),
    ("head.qkv.bias", "", "vision_model.head.attention.in_proj_bias"),
    ("head.o", "", "vision_model.head.attention.out_proj.weight"),
    ("head.o.bias", "", "vision_model.head.attention.out_proj.bias"),
    ("head.norm", "", "vision_model.head.layernorm.weight"),
    ("head.norm.bias", "", "vision_model.head.layernorm.bias"),
    ("head.up", "", "vision_model.head.mlp.fc1.weight"),
    ("head.up.bias", "", "vision_model.head.mlp.fc1.bias"),
    ("head.down", "", "vision_model.head.mlp.fc2.weight"),
    ("head.down.bias", "", "vision_model.head.mlp.fc2.bias"),
];

/// [`NAMES`] behind those that a model has of its own.
pub const fn names<const N: usize>(own: &[Name]) -> [Name; N] {
    joined(own, NAMES)
}

fn shape(hyper: &Hyper) -> Result<Shape> {
    if hyper.flag("", "vision_use_head")? == Some(false) {
        return Err(Error::unsupported("a siglip model without its head"));
    }
    body_shape(hyper, &preprocessing(hyper)?.1)
}

/// The sizes of all but a head.
pub fn body_shape(hyper: &Hyper, grid: &Grid) -> Result<Shape> {
    activation(hyper)?;
    VitParts::shape(hyper, hyper.count("vision.feed_forward_length", "intermediate_size")?, grid.patches())
}

/// GELU, in one of its two forms; GGUF knows the faster one alone.
fn activation(hyper: &Hyper) -> Result<Activation> {
    match hyper.text("", "hidden_act")? {
        None | Some("gelu_pytorch_tanh" | "gelu_tanh") => Ok(Activation::GeluTanh),
        Some("gelu") => Ok(Activation::Gelu),
        Some(other) => Err(Error::unsupported(format!("the activation {other} in a siglip model"))),
    }
}

fn preprocessing(hyper: &Hyper) -> Result<(Preprocessing, Grid)> {
    prepared(hyper, Preprocessing::square(hyper.count("", "image_size")?), 1)
}

/// How the file says that pictures are prepared, `usual` standing for what it leaves out, and their patches, in the size that the
/// positions are made for: `merge` × `merge` of them become one token.
///
/// # Errors
/// `MODEL_FORMAT` where pictures are prepared in another, and those of [`Preprocessing::read`] and [`vit::grid`].
pub fn prepared(hyper: &Hyper, mut usual: Preprocessing, merge: usize) -> Result<(Preprocessing, Grid)> {
    for (key, colours) in [("vision.image_mean", &mut usual.mean), ("vision.image_std", &mut usual.std)] {
        *colours = hyper.colours(key)?.unwrap_or(*colours);
    }
    let preprocessing = Preprocessing::read(hyper.checkpoint.preprocessor_config(), usual, hyper.checkpoint.name())?;
    let edge = hyper.count("vision.image_size", "image_size")?;
    let grid = vit::grid(&preprocessing, hyper, merge)?;
    match [grid.rows, grid.columns] == [edge / grid.edge; 2] {
        true => Ok((preprocessing, grid)),
        false => Err(hyper.wrong("preprocessor_config.json", &format!("must make pictures of {edge} × {edge} pixels"))),
    }
}

async fn load(loader: &mut Loader<'_>) -> Result<VisionEncoder> {
    let (preprocessing, grid) = preprocessing(&loader.hyper)?;
    let mut vit = parts(loader)?;
    let mut encoder = body(&mut vit, preprocessing, grid).await?;
    let [k, v] = vit.head_keys_and_values()?;
    let pooling = AttentionPooling {
        query: vit.head_query().await?,
        k,
        v,
        o: vit.square("head.o", 0)?,
        n_heads: vit.heads(),
        norm: vit.norm("head.norm", 0)?,
        mlp: vit.mlp(["head.up", "head.down"], 0)?,
    };
    encoder.head = VisionHead::Attention(Box::new(pooling));
    Ok(encoder)
}

fn parts<'p, 'a>(loader: &'p mut Loader<'a>) -> Result<VitParts<'p, 'a>> {
    let hyper = loader.hyper;
    let epsilon = hyper.number("vision.attention.layer_norm_epsilon", "layer_norm_eps")?;
    Ok(VitParts::new(loader, epsilon as f32, activation(&hyper)?))
}

/// An encoder whose pictures are prepared as `preprocessing` reads it; its head is found by `head`, once all else is.
///
/// # Errors
/// Those of [`Loader`].
pub async fn load_with(
    loader: &mut Loader<'_>,
    preprocessing: fn(&Hyper) -> Result<(Preprocessing, Grid)>,
    head: fn(&mut Loader<'_>, &VisionEncoder) -> Result<VisionHead>,
) -> Result<VisionEncoder> {
    let (preprocessing, grid) = preprocessing(&loader.hyper)?;
    let mut encoder = body(&mut parts(loader)?, preprocessing, grid).await?;
    encoder.head = head(loader, &encoder)?;
    Ok(encoder)
}

/// All but a head.
///
/// # Errors
/// Those of [`Loader`].
async fn body(vit: &mut VitParts<'_, '_>, preprocessing: Preprocessing, grid: Grid) -> Result<VisionEncoder> {
    let position_table = vit.positions([grid.rows, grid.columns], &grid, None).await?;
    let patches = vit.patches(grid.edge)?;
    let blocks = (0..vit.layers()).map(|i| vit.block(i)).collect::<Result<_>>()?;
    let norm = vit.norm("norm", 0)?;
    Ok(VisionEncoder {
        shape: vit.shape_of_all(),
        preprocessing,
        grid,
        classes: 0,
        patches,
        position_table,
        pre_norm: None,
        blocks,
        norm: Some(norm),
        head: VisionHead::First,
    })
}
